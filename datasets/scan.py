"""The facts of many files: looked at once by several processes, then remembered until a file changes."""

import errno
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import PIL
from filelock import FileLock

from datasets.facts import FACTS_VERSION, Facts, look_at, unusable
from datasets.listing import FileState
from datasets.processes import Progress, completed, is_worth_a_pool, process_pool

_CHUNK = 128
_COLUMNS = ("path", "size", "mtime_ns", *Facts._fields[1:])
_RECALL = f"SELECT {', '.join(_COLUMNS)} FROM facts"


class Scan(NamedTuple):
    """The facts of every file, in the order asked; how many were remembered; what must be said."""

    facts: list[Facts]
    remembered: int
    notes: tuple[str, ...]


def scan(root: Path, files: Sequence[FileState], cache_dir: Path, workers: int, progress: Progress | None) -> Scan:
    """The facts of these files below the root; only files that are new or changed are opened.

    What is known is written down while the scan goes on, so that an interrupted one is continued.
    """
    path = _memory_path(root, cache_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        try:
            return _scan(path, root, files, partial(_look, workers=workers), progress)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "no such column" not in str(error):
                number = errno.ENOSPC if "full" in str(error) else errno.EIO
                raise OSError(number, f"{os.strerror(number)} ({error})", str(path)) from error
            for leftover in path.parent.glob(f"{path.name}*"):
                leftover.unlink()
            found = _scan(path, root, files, partial(_look, workers=workers), progress)
            note = f"the memory of earlier scans was damaged ({error}) and has been made again: {path}"
            return found._replace(notes=(note,))


def _memory_path(root: Path, cache_dir: Path) -> Path:
    # Another Pillow may read more formats, or other pixels from the same bytes.
    key = f"{root}:{FACTS_VERSION}:{PIL.__version__}"
    return cache_dir / "facts" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.sqlite"


def _scan(
    path: Path,
    root: Path,
    files: Sequence[FileState],
    look: "partial[Iterator[list[Facts]]]",
    progress: Progress | None,
) -> Scan:
    with closing(sqlite3.connect(path)) as memory:
        # What a killed process wrote survives; only a power cut can damage the file, which is noticed and mended.
        memory.execute("PRAGMA synchronous = OFF")
        memory.execute(f"CREATE TABLE IF NOT EXISTS facts ({', '.join(_COLUMNS)}, PRIMARY KEY (path))")
        known = {FileState(*row[:3]): Facts(row[0], *row[3:]) for row in memory.execute(_RECALL)}
        facts = {file.path: known[file] for file in files if file in known}
        remembered = len(facts)
        missing = {file.path: file for file in files if file.path not in facts}
        for chunk in look(str(root), list(missing.values())):
            rows = [(*missing[fact.path], *fact[1:]) for fact in chunk]
            with memory:
                memory.executemany(f"REPLACE INTO facts VALUES ({', '.join('?' * len(_COLUMNS))})", rows)
            facts.update((fact.path, fact) for fact in chunk)
            if progress is not None:
                progress(len(facts), len(files))
    return Scan([facts[file.path] for file in files], remembered, ())


def _look(root: str, files: list[FileState], workers: int) -> Iterator[list[Facts]]:
    """The facts of these files, chunk by chunk in any order."""
    paths = [file.path for file in files]
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    if workers < 2 or not is_worth_a_pool(len(files), sum(file.size for file in files)):
        yield from (look_at(root, chunk) for chunk in chunks)
        return
    ahead = 2 * workers
    while chunks:
        try:
            with process_pool(min(workers, len(chunks))) as pool:
                for chunk, future in completed(pool, partial(look_at, root), chunks, ahead):
                    yield future.result()
                    chunks = [other for other in chunks if other is not chunk]
        except BrokenProcessPool:
            for suspect in chunks[:ahead]:
                yield list(_look_warily(root, suspect))
            chunks = chunks[ahead:]


def _look_warily(root: str, paths: list[str]) -> Iterator[Facts]:
    """The facts of files one of which may bring down the process that decodes it."""
    try:
        with process_pool(1) as pool:
            yield from pool.submit(look_at, root, paths).result()
    except BrokenProcessPool:
        if len(paths) == 1:
            yield unusable(paths[0], "damaged: the process that decoded it died")
            return
        half = len(paths) // 2
        yield from _look_warily(root, paths[:half])
        yield from _look_warily(root, paths[half:])
