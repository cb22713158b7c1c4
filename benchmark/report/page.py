"""HTML from the templates of this package; whatever is put into them is escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from benchmark.board.sentences import change_text, score_text
from benchmark.report import palette
from benchmark.wording import plural

TEMPLATES = Path(__file__).with_name("templates")

# Control characters, and those that change the direction of the text after them.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def render(template: str, **content: Any) -> str:
    """The page that this template makes of the content."""
    return _environment().get_template(template).render(content)


@cache
def script() -> str:
    """The script of pages that can be sorted and filtered."""
    return (TEMPLATES / "report.js").read_text("utf-8")


def script_policy() -> str:
    """What a page's security policy says of that script: it and no other may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script().encode()).digest()).decode('ascii')}'"


def templates_digest() -> str:
    """A hash of all templates: another look of a report is another report."""
    digest = hashlib.sha256()
    for path in sorted(TEMPLATES.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def shown(name: object, longest: int = 90) -> str:
    """A name that others chose, safe to look at: control characters as \\xNN, the middle of a long one left out."""
    text = _UNSHOWABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(name))
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def thousands(number: float) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{number:,.0f}".replace(",", "\u202f")


def counted(number: int, thing: str) -> str:
    """The number with the thing, in the plural unless it is one."""
    return f"{thousands(number)} {plural(number, thing)}"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "thousands": thousands, "counted": counted}
    environment.filters |= {"score": score_text, "change": change_text}
    environment.globals |= {"palette": palette, "ink": palette.ink, "shade": palette.shade}
    environment.globals |= {"script": script, "script_policy": script_policy}
    return environment
