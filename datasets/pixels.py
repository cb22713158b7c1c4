"""Pictures decoded and resized once into a memory map that all runs and processes share."""

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import PIL
from filelock import FileLock
from PIL import Image

from datasets.decoding import Undecodable, decode, quiet_decoding
from datasets.errors import DataContractBroken
from datasets.facts import read_picture
from datasets.files import new_folder
from datasets.hashing import pixels_sha256
from datasets.manifest import Manifest
from datasets.processes import Progress, completed, process_pool
from datasets.resizing import square
from datasets.spec import Resize

PIXELS_VERSION = 1

_PIXELS, _ROWS, _META = "pixels.npy", "rows.txt", "meta.json"
_CHUNK = 64
_AGAIN = "it changed since; give the same command again to look at the folder anew"
_WORTH_A_POOL = 300


@dataclass(frozen=True, eq=False)
class PixelCache:
    """The pixels of a manifest's pictures at one size."""

    array: npt.NDArray[np.uint8]
    """Shape (N, S, S, 3), uint8, RGB 0..255, read-only, mapped from disk; row i is the manifest's row i."""
    key: str
    """A hash of which pictures in which order, the size and the rule."""
    decoded: int
    """Pictures that had to be decoded for this call; the rest was there."""
    notes: tuple[str, ...]


def pixels(
    manifest: Manifest, image_size: int, resize: Resize, cache_dir: Path, workers: int, progress: Progress | None
) -> PixelCache:
    """The pixels of the manifest's pictures, decoded now or found in the cache.

    Splits play no part: manifests over the same pictures share one map, and one over other pictures takes over
    what earlier maps of the same size and rule hold.

    Raises:
        DataContractBroken: a file has changed or vanished since it was scanned.
    """
    rows = manifest.table["pixels_sha256"].tolist()
    recipe = f"{PIXELS_VERSION}-{image_size}-{resize}-{PIL.__version__}"
    key = hashlib.sha256("\n".join([recipe, *rows]).encode()).hexdigest()[:32]
    folder = cache_dir / "pixels" / recipe / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        found, notes = _open(folder, (len(rows), image_size, image_size, 3))
        if found is not None:
            return PixelCache(found, key, 0, notes)
        task = _Task(manifest, image_size, resize, workers)
        with new_folder(folder) as unfinished:
            decoded = _build(task, unfinished, folder.parent, progress)
        found, _ = _open(folder, (len(rows), image_size, image_size, 3))
        assert found is not None
        return PixelCache(found, key, decoded, notes)


@dataclass(frozen=True)
class _Task:
    manifest: Manifest
    image_size: int
    resize: Resize
    workers: int


def _open(folder: Path, shape: tuple[int, ...]) -> tuple[npt.NDArray[np.uint8] | None, tuple[str, ...]]:
    """The map in this folder if it is whole, and what must be said if it is not."""
    if not folder.is_dir():
        return None, ()
    try:
        array = np.load(folder / _PIXELS, mmap_mode="r")
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        if array.shape != shape or array.dtype != np.uint8 or meta["checksum"] != _checksum(array):
            raise ValueError("its content does not fit its description")
    except (OSError, ValueError, KeyError, EOFError) as error:
        return None, (f"the decoded pictures in {folder} were damaged ({error}) and have been made again",)
    os.utime(folder)
    return array, ()


def _checksum(array: npt.NDArray[np.uint8]) -> int:
    """CRC-32 of the first and the last 64 rows: a torn or truncated file shows there."""
    return zlib.crc32(array[-64:].tobytes(), zlib.crc32(array[:64].tobytes()))


def _build(task: _Task, folder: Path, shelf: Path, progress: Progress | None) -> int:
    """Fill the folder; the number of pictures decoded."""
    table = task.manifest.table
    rows = table["pixels_sha256"].tolist()
    shape = (len(rows), task.image_size, task.image_size, 3)
    array = np.lib.format.open_memmap(folder / _PIXELS, "w+", np.uint8, shape)
    missing = _take_over(array, rows, shelf, folder)
    array.flush()
    _decode_into(folder / _PIXELS, missing, task, progress)
    meta: dict[str, Any] = {"shape": shape, "resize": task.resize, "checksum": _checksum(array)}
    (folder / _ROWS).write_text("\n".join(rows), encoding="utf-8")
    (folder / _META).write_text(json.dumps(meta), encoding="utf-8")
    return len(missing)


def _take_over(array: npt.NDArray[np.uint8], rows: list[str], shelf: Path, own: Path) -> list[int]:
    """Copy every picture that another map on the shelf holds; the rows that none holds."""
    missing = dict(enumerate(rows))
    for folder in sorted(path for path in shelf.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if not missing:
            break
        try:
            there = {name: row for row, name in enumerate((folder / _ROWS).read_text(encoding="utf-8").split("\n"))}
        except OSError:
            continue
        shared = [row for row, name in missing.items() if name in there]
        other, _ = _open(folder, (len(there), *array.shape[1:])) if shared else (None, ())
        if other is None:
            continue
        for row in shared:
            array[row] = other[there[missing.pop(row)]]
    return list(missing)


def _decode_into(file: Path, missing: list[int], task: _Task, progress: Progress | None) -> None:
    """Decode these rows of the manifest into the map in the file."""
    table = task.manifest.table
    paths, hashes = table["path"].tolist(), table["pixels_sha256"].tolist()
    chunks = [missing[start : start + _CHUNK] for start in range(0, len(missing), _CHUNK)]
    wanted = [[_Wanted(row, paths[row], hashes[row]) for row in chunk] for chunk in chunks]
    work = partial(_write_squares, str(task.manifest.root), str(file), task.image_size, task.resize)
    done = 0
    for count in _carried_out(work, wanted, task.workers if len(missing) >= _WORTH_A_POOL else 1):
        done += count
        if progress is not None:
            progress(done, len(missing))


class _Wanted(NamedTuple):
    row: int
    path: str
    pixels_sha256: str


def _carried_out(work: Callable[[list[_Wanted]], int], chunks: list[list[_Wanted]], workers: int) -> Iterator[int]:
    """The result of the work on each chunk, in any order."""
    if workers < 2:
        yield from map(work, chunks)
        return
    with process_pool(min(workers, len(chunks))) as pool:
        for _, future in completed(pool, work, chunks, 2 * workers):
            yield future.result()


def _write_squares(root: str, file: str, image_size: int, resize: Resize, chunk: list[_Wanted]) -> int:
    """Write these pictures' squares into the map; how many. Runs in child processes."""
    array = np.lib.format.open_memmap(file, "r+")
    with quiet_decoding():
        for wanted in chunk:
            array[wanted.row] = square(_unchanged(root, wanted), image_size, resize)
    return len(chunk)


def _unchanged(root: str, wanted: _Wanted) -> Image.Image:
    """The picture, which must be the one that was scanned."""
    try:
        image = decode(read_picture(root, wanted.path)).image
    except (OSError, Undecodable) as error:
        raise DataContractBroken(f"{wanted.path} can no longer be read ({error}): {_AGAIN}") from error
    if pixels_sha256(image) != wanted.pixels_sha256:
        raise DataContractBroken(f"{wanted.path} shows another picture than when it was scanned: {_AGAIN}")
    return image
