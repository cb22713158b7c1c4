"""Memory maps of decoded pictures on disk: one folder each, checked row by row, continued after an interruption.

A folder holds pixels.npy (N x S x S x 3, uint8), crc.npy (CRC-32 of each row, 0 = not written yet) and rows.txt (the
pixels_sha256 of each row).
"""

import io
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

UInt8s = npt.NDArray[np.uint8]
Shape = tuple[int, int, int, int]

PIXELS, CRC, ROWS = "pixels.npy", "crc.npy", "rows.txt"

_ROWS_CHECKED = 64


class Map(NamedTuple):
    """An open map: squares of shape (N, S, S, 3), and the CRC-32 of each row, shape (N,), uint32."""

    squares: UInt8s
    crc: npt.NDArray[np.uint32]


class Damaged(ValueError):
    """A map's files are not what was written."""


def open_whole(folder: Path, shape: Shape) -> Map:
    """The finished map in the folder, read-only; 64 of its rows, spread evenly, are compared with their checksums.

    Raises:
        Damaged: a file is missing, cut off or changed.
    """
    try:
        found = _open(folder, shape, "r")
    except OSError as error:
        raise Damaged(str(error)) from error
    spread = np.linspace(0, shape[0] - 1, min(shape[0], _ROWS_CHECKED)).astype(int)
    if not found.crc.all() or not all(is_intact(found, row) for row in spread):
        raise Damaged("rows do not fit their checksums")
    os.utime(folder)
    return found


def open_unfinished(folder: Path, rows: Sequence[str], shape: Shape) -> Map:
    """The map in the folder to be written to, with its place on the disk reserved; made if it is not there.

    Raises:
        OSError: the disk is full or refuses; it names the folder, and nothing new is left there.
    """
    with _naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return _continue(folder, rows, shape)
        except (FileNotFoundError, Damaged):
            return _begin(folder, rows, shape)


def _continue(folder: Path, rows: Sequence[str], shape: Shape) -> Map:
    if (folder / ROWS).read_text(encoding="utf-8") != "\n".join(rows):
        raise Damaged("it holds other pictures")
    _reserve(folder / PIXELS, shape)
    return _open(folder, shape, "r+")


def _begin(folder: Path, rows: Sequence[str], shape: Shape) -> Map:
    unwritten = io.BytesIO()
    np.save(unwritten, np.zeros(shape[0], np.uint32))
    try:
        (folder / PIXELS).write_bytes(_header(shape))
        _reserve(folder / PIXELS, shape)
        (folder / CRC).write_bytes(unwritten.getvalue())
        (folder / ROWS).write_text("\n".join(rows), encoding="utf-8")
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _open(folder, shape, "r+")


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Errors of writes, which have no file's name of their own, get the folder's."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, error.filename or str(folder)) from error


def is_intact(map_: Map, row: int) -> bool:
    """Whether the row is written and fits its checksum."""
    return bool(map_.crc[row] != 0) and checksum(map_.squares[row]) == map_.crc[row]


def checksum(square: UInt8s) -> int:
    """CRC-32 of a row, never 0."""
    return zlib.crc32(square.data) or 1


def others(shelf: Path, but: Path) -> Iterator[tuple[dict[str, int], Path]]:
    """The rows (pixels_sha256 -> row) and folder of every other map on the shelf, finished or not."""
    for folder in sorted(shelf.iterdir(), key=lambda path: path.name.startswith(".")):
        if folder.is_dir() and folder != but:
            try:
                names = (folder / ROWS).read_text(encoding="utf-8").split("\n")
            except OSError:
                continue
            yield {name: row for row, name in enumerate(names)}, folder


def open_any(folder: Path, shape: Shape) -> Map | None:
    """The map in the folder as it is, read-only; None if its files do not fit each other."""
    try:
        return _open(folder, shape, "r")
    except (Damaged, OSError):
        return None


def _open(folder: Path, shape: Shape, mode: str) -> Map:
    try:
        squares = np.lib.format.open_memmap(folder / PIXELS, mode=mode)
        crc = np.lib.format.open_memmap(folder / CRC, mode=mode)
    except (ValueError, EOFError) as error:
        raise Damaged(str(error).splitlines()[0]) from error
    if squares.shape != shape or squares.dtype != np.uint8 or crc.shape != shape[:1]:
        raise Damaged("its header does not fit")
    return Map(squares, crc)


def _reserve(file: Path, shape: Shape) -> None:
    """Give the file its full length on the disk: writing to a map on a full disk would end the process."""
    length = len(_header(shape)) + int(np.prod(shape))
    with open(file, "r+b") as stream:
        os.posix_fallocate(stream.fileno(), 0, length)
        os.ftruncate(stream.fileno(), length)


def _header(shape: Shape) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()
