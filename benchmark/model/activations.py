"""Activations: what crosses the freeze boundary, kept on disk by content so that it is computed once.

An entry is a file of float32 numbers: the packed activations of all its rows, then, where augmentation mixes labels,
the rows' targets. A description beside it has shapes, size and checksum.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import numpy as np
import numpy.typing as npt

from benchmark.model.boundary import Shapes

log = logging.getLogger(__name__)

CODE_VERSION = 2
"""Raised when what `identity` holds would be kept in another way."""
_CHECKED_BYTES = 2**24
_SAID_EVERY = 2.0
"""Seconds between two lines of progress."""

Numbers = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


class DoesNotFit(RuntimeError):
    """An entry larger than the cache may be."""


class Activations(NamedTuple):
    """Packed activations of pictures, or of views of pictures; mapped from disk, read-only."""

    values: Numbers
    """(M, D), see boundary.pack."""
    shapes: Shapes
    """Of what crosses the boundary."""
    targets: Numbers | None
    """(M, C), rows sum to 1; None = the pictures' own labels."""
    facts: dict[str, Any]
    """What the computation told about the network below."""
    notes: tuple[str, ...]


class Batch(NamedTuple):
    """Rows that are known now."""

    rows: Indices
    values: Numbers
    targets: Numbers | None


class Computation(NamedTuple):
    """How an entry comes about; nothing is computed before its batches are asked for."""

    rows: int
    shapes: Shapes
    classes: int
    """Columns of targets; 0 = no targets are kept."""
    facts: dict[str, Any]
    batches: Iterator[Batch]

    @property
    def columns(self) -> int:
        """Numbers that cross the boundary for each row."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def numbers(self) -> int:
        """Numbers in the entry."""
        return self.rows * (self.columns + self.classes)


class Shelf(NamedTuple):
    """Where entries are kept, and how large one may be."""

    folder: Path
    limit_bytes: int | None
    """None = any size."""

    def load_or_compute(self, identity: dict[str, Any], prepare: Callable[[], Computation]) -> Activations:
        """The entry of this identity, from disk if it is there and whole, else computed onto the disk.

        `identity` holds everything that decides the values. Processes that want the same entry wait for the one that
        computes it.

        Raises:
            DoesNotFit: it is not there and would be larger than the limit.
            OSError: the disk is full or refuses.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**identity, "code": CODE_VERSION}, sort_keys=True, default=str)
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"
        with filelock.FileLock(path.with_suffix(".lock")):
            there = path.exists()
            if there and (found := _opened(path)) is not None:
                return found
            computation = prepare()
            self._require_room(computation)
            _write(path, text, computation)
            found = _opened(path)
        if found is None:
            raise OSError(f"found {path} damaged right after it was written; expected a disk that keeps what it gets")
        notes = (f"cached activations {path.name} were damaged and were computed again",) if there else ()
        return found._replace(notes=notes)

    def _require_room(self, computation: Computation) -> None:
        wanted = computation.numbers * 4
        if self.limit_bytes is not None and wanted > self.limit_bytes:
            raise DoesNotFit(
                f"found activations of {wanted / 1e9:.3g} GB; expected no more than the cache may hold "
                f"({self.limit_bytes / 1e9:.3g} GB): raise machine.cache_limit_gb"
            )


def _write(path: Path, text: str, computation: Computation) -> None:
    """Write the entry and its description under the final names when all of it is there."""
    partial = path.with_name(f".{path.name}")
    description = partial.with_suffix(".json")
    try:
        _compute(partial, computation)
        facts = {
            "size": partial.stat().st_size,
            "crc32": _checksum(partial),
            "rows": computation.rows,
            "shapes": computation.shapes,
            "classes": computation.classes,
            "facts": computation.facts,
            "identity": json.loads(text),
        }
        description.write_text(json.dumps(facts, indent=1))
        description.replace(path.with_suffix(".json"))
        partial.replace(path)
    except OSError as error:
        # An error of a write has no file's name of its own.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)
        description.unlink(missing_ok=True)


def _compute(path: Path, computation: Computation) -> None:
    """Write all numbers of the entry."""
    targets_from, done = computation.rows * computation.columns, 0
    # What is still to be written when an error leaves the block may raise another one.
    with _NumbersFile(path, computation.numbers) as values:
        started = said = time.perf_counter()
        for batch in computation.batches:
            values.put(batch.rows * computation.columns, batch.values)
            if batch.targets is not None:
                values.put(targets_from + batch.rows * computation.classes, batch.targets)
            done += len(batch.rows)
            if (now := time.perf_counter()) - said > _SAID_EVERY or done == computation.rows:
                rate, said = done / (now - started), now
                log.info("activations: %d of %d pictures, %.0f a second", done, computation.rows, rate)


class _NumbersFile:
    """An npy file of float32 numbers in one dimension, written in any order.

    Not a memory map: writing one to a full disk ends the process instead of raising.
    """

    def __init__(self, path: Path, numbers: int) -> None:
        self._stream = path.open("wb")
        header = {"descr": "<f4", "fortran_order": False, "shape": (numbers,)}
        np.lib.format.write_array_header_1_0(self._stream, header)
        self._start = self._stream.tell()

    def put(self, places: Indices, rows: Numbers) -> None:
        """Write each of the rows (n, d) so that it begins at its place."""
        step = rows.shape[1]
        breaks = np.flatnonzero(np.diff(places) != step) + 1
        for place, run in zip(places[np.r_[0, breaks]], np.split(rows, breaks), strict=True):
            self._stream.seek(self._start + 4 * int(place))
            self._stream.write(np.ascontiguousarray(run, "<f4").data)

    def __enter__(self) -> _NumbersFile:
        """The file, open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hand everything to the system; what does not fit raises here at the latest."""
        self._stream.close()


_whole: dict[Path, tuple[int, int]] = {}
"""Entries that this process has checked: time of their last change in ns, size."""


def _opened(path: Path) -> Activations | None:
    """The entry if its size and checksum are those that were written."""
    try:
        facts, state = json.loads(path.with_suffix(".json").read_text()), path.stat()
        known = _whole.get(path) == (state.st_mtime_ns, state.st_size)
        if not known and (state.st_size != facts["size"] or _checksum(path) != facts["crc32"]):
            return None
        shapes = tuple(tuple(shape) for shape in facts["shapes"])
        rows, columns = facts["rows"], sum(math.prod(shape) for shape in shapes)
        numbers = np.load(path, mmap_mode="r")
        values = numbers[: rows * columns].reshape(rows, columns)
        targets = numbers[rows * columns :].reshape(rows, facts["classes"]) if facts["classes"] else None
        _whole[path] = (state.st_mtime_ns, state.st_size)
        # What was used last goes last when the cache is over its limit.
        os.utime(path, ns=(time.time_ns(), state.st_mtime_ns))
        return Activations(values, shapes, targets, facts["facts"], ())
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checksum(path: Path) -> int:
    """The file's CRC-32, which finds flipped bits at memory speed."""
    found = 0
    with path.open("rb") as stream:
        while part := stream.read(_CHECKED_BYTES):
            found = zlib.crc32(part, found)
    return found
