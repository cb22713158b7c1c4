"""Detached: a page that is read away from its folder, as in MLflow, which shows it without the files beside it."""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.report.pictures import embedded

# What others named is escaped in pages, so that only their own elements look like these.
_PICTURE = re.compile(r'<img src="(\.\./[^"]+)"')
_LINK = re.compile(r'<a href="(?!#|https?:)[^"]*"[^>]*>(.*?)</a>', re.DOTALL)


def detached(page: Path) -> str:
    """The page's HTML with the pictures that lie beside it inside, and the words of links to other files alone."""

    def inside(found: re.Match[str]) -> str:
        picture = page.parent / found[1]
        return f'<img src="{embedded(picture)}"' if picture.is_file() else found[0]

    return _LINK.sub(r"\1", _PICTURE.sub(inside, page.read_text("utf-8")))
