"""Sources of pictures and labels: one file each, one decorated function each, found by its name.

A source is a function `(spec, location, cache_dir) -> SourceRows` decorated with `@source` in a module of this folder
that bears the source's name.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from datasets.errors import DatasetUsageError, did_you_mean
from datasets.listing import FileState, Rejection
from datasets.spec import DatasetLocation, DatasetSpec, Split


class Entry(NamedTuple):
    """A file with its label, and its split and outside group where the source knows them."""

    file: FileState
    label: str
    split: Split | None
    group: str | None


@dataclass(frozen=True)
class SourceRows:
    """What a source offers, before any file is opened."""

    root: Path
    entries: list[Entry]
    rejected: list[Rejection]
    passed_over: int
    notes: tuple[str, ...]
    classes: frozenset[str]
    """Every class that has a folder or a row, with or without usable pictures."""


Source = Callable[[DatasetSpec, DatasetLocation, Path], SourceRows]

_FOUND: dict[str, Source] = {}


def source(function: Source) -> Source:
    """Register the function under the name of its module."""
    _FOUND[function.__module__.rpartition(".")[2]] = function
    return function


def source_names() -> tuple[str, ...]:
    """The names of all sources, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def find_source(name: str) -> Source:
    """The source of this name.

    Raises:
        DatasetUsageError: there is none.
    """
    if name not in source_names():
        raise DatasetUsageError(f"unknown source {name!r} in dataset.source; {did_you_mean(name, source_names())}")
    importlib.import_module(f"{__name__}.{name}")
    return _FOUND[name]
