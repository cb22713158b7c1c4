"""Claims: which process is at a run. The system lets go of a claim when its process ends, however it ends."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from benchmark.records import RunRecord

SECONDS_OF_PATIENCE = 0.2
"""Who only asks whether a run is claimed holds its lock for less."""


def claim(directory: Path, run_id: str) -> FileLock | None:
    """The run as this process's own until the lock is released; None when another process is at it."""
    path = _lock_file(directory, run_id)
    path.parent.mkdir(exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=SECONDS_OF_PATIENCE, poll_interval=SECONDS_OF_PATIENCE / 10)
    except Timeout:
        return None
    return lock


def is_under_way(directory: Path, record: RunRecord) -> bool:
    """Whether a living process is at this run, which has no result yet."""
    path = _lock_file(directory, record.run_id)
    if record.finished or not path.exists():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # somebody else's folder
        return False


def _lock_file(directory: Path, run_id: str) -> Path:
    return directory / ".locks" / run_id
