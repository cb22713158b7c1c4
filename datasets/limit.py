"""A limit on the disk space of what the cache holds and could make again: the least recently used goes first."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout


class Removed(NamedTuple):
    """How many entries were removed, and the bytes they took on the disk."""

    entries: int
    bytes: int


class _Entry(NamedTuple):
    used: float
    bytes: int
    path: Path


def keep_within(cache_dir: Path, limit_bytes: int) -> Removed:
    """Remove decoded pictures and features, the least recently used first, until the rest is within the limit.

    What another process builds or opens at this moment is passed over; a map that is already open stays readable to
    whoever has it.
    """
    entries = sorted(_entries(cache_dir))
    total = sum(entry.bytes for entry in entries)
    removed = Removed(0, 0)
    for entry in entries:
        if total - removed.bytes <= limit_bytes:
            break
        if _remove(entry.path):
            removed = Removed(removed.entries + 1, removed.bytes + entry.bytes)
    return removed


def _entries(cache_dir: Path) -> Iterator[_Entry]:
    """Every map with the time of its last use: a folder of pixels, or a file of features."""
    for path in [*cache_dir.glob("pixels/*/*"), *cache_dir.glob("features/*")]:
        if path.suffix in (".lock", ".json"):
            continue
        try:
            own = path.stat()
            states = [file.stat() for file in path.iterdir()] if path.is_dir() else [own]
        except FileNotFoundError:  # another process took it away meanwhile
            continue
        # Opening a map of pixels sets its folder's time; that of a file of features is set by reading it.
        used = own.st_mtime if path.is_dir() else max(own.st_mtime, own.st_atime)
        yield _Entry(used, sum(state.st_blocks * 512 for state in states), path)


def _remove(path: Path) -> bool:
    lock = FileLock(path.with_name(f"{path.stem.removeprefix('.')}.lock"), timeout=0)
    try:
        with lock:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
                path.with_suffix(".json").unlink(missing_ok=True)
    except (Timeout, FileNotFoundError):
        return False
    return True
