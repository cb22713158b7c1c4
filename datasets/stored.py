"""What the cache folder holds: everything in it can be made again."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from datasets.errors import DatasetUsageError, did_you_mean

KINDS = {
    "facts": "what one look at each file told",
    "manifests": "data sets as they were examined",
    "sources": "pictures that this program drew itself",
    "pixels": "decoded and resized pictures",
    "features": "what frozen parts of networks said about pictures",
    "latency": "how long predictions take on this machine",
}
"""Folders of the cache, and what is in them."""


class Stored(NamedTuple):
    """One kind of content: how many files, how many bytes on disk, and when one was last changed (seconds, UTC)."""

    kind: str
    files: int
    bytes: int
    changed: float | None


def stored(cache_dir: Path, kind: str | None) -> list[Stored]:
    """What one kind of content takes, or each of them.

    Raises:
        DatasetUsageError: there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise DatasetUsageError(f"unknown kind of content {kind!r}; {did_you_mean(kind, KINDS)}")
    return [_stored(cache_dir, name) for name in (KINDS if kind is None else [kind])]


def clear(cache_dir: Path, kind: str | None) -> list[Stored]:
    """Remove one kind of content, or all; what was removed. Maps that other processes have open stay readable to them.

    Raises:
        DatasetUsageError: there is no such kind.
    """
    removed = stored(cache_dir, kind)
    for one in removed:
        if (cache_dir / one.kind).is_dir():
            shutil.rmtree(cache_dir / one.kind)
    return removed


def _stored(cache_dir: Path, kind: str) -> Stored:
    found = [Path(folder, name) for folder, _, names in os.walk(cache_dir / kind) for name in names]
    states = []
    for path in found:
        try:
            states.append(path.stat())
        except FileNotFoundError:  # another process took it away meanwhile
            continue
    return Stored(
        kind,
        len(states),
        sum(state.st_blocks * 512 for state in states),
        max((state.st_mtime for state in states), default=None),
    )
