"""Folders of pictures that this program makes itself, kept in the cache."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock
from pydantic import BaseModel

from datasets.files import new_folder, write_atomically

GENERATOR_VERSION = 1

Rule = TypeVar("Rule", bound=BaseModel)


def long_tail(largest: int, imbalance: float, classes: int) -> list[int]:
    """Pictures per class, falling exponentially from `largest` to largest/imbalance (Cui et al., CVPR 2019)."""
    return [max(1, round(largest * imbalance ** (-k / (classes - 1)))) for k in range(classes)]


def generated_folder(cache_dir: Path, name: str, rule: Rule, write: Callable[[Rule, Path], None]) -> Path:
    """The folder that `write` fills by the rule: made once, and made again if files are missing."""
    text = f"{GENERATOR_VERSION}:{rule.model_dump_json()}"
    folder = cache_dir / "sources" / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    count = folder.with_suffix(".count")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not count.is_file() or count.read_text(encoding="utf-8") != str(_files_in(folder)):
            with new_folder(folder) as unfinished:
                write(rule, unfinished)
            write_atomically(count, str(_files_in(folder)))
    return folder.resolve()


def _files_in(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))
