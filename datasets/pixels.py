"""Pictures decoded and resized once into a memory map that all runs and processes share."""

import hashlib
import shutil
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import PIL
from filelock import FileLock

from datasets import shelf
from datasets.manifest import Manifest
from datasets.processes import Progress, WorkersDied, completed, is_worth_a_pool, process_pool
from datasets.resizing import Resize
from datasets.squares import Recipe, Wanted, write_squares

PIXELS_VERSION = 1
"""Raised when the same picture, size and rule would give other pixels."""

_CHUNK = 64


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

    Splits play no part: manifests over the same pictures share one map; a map over other pictures takes over what
    maps of the same size and rule hold, and an interrupted one is continued.

    Raises:
        DataContractBroken: a file has changed or vanished since it was scanned.
        WorkersDied: the processes that decode were killed.
    """
    folder = pixels_folder(manifest, image_size, resize, cache_dir)
    key = folder.name
    shape = (len(manifest.table), image_size, image_size, 3)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{key}.lock")):
        notes: tuple[str, ...] = ()
        if folder.is_dir():
            try:
                return PixelCache(shelf.open_whole(folder, shape).squares, key, 0, ())
            except shelf.Damaged as error:
                notes = (f"decoded pictures in {folder} were damaged ({error}); what is whole was used again",)
        unfinished = folder.with_name(f".{key}")
        if folder.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
            folder.replace(unfinished)
        task = _Task(manifest, image_size, resize, workers)
        built = _build(task, unfinished, shape, progress)
        if built.found and not notes:
            notes = (f"{built.found} of {len(manifest.table)} decoded pictures were there from earlier",)
        unfinished.replace(folder)
        return PixelCache(shelf.open_whole(folder, shape).squares, key, built.decoded, notes)


def pixels_folder(manifest: Manifest, image_size: int, resize: Resize, cache_dir: Path) -> Path:
    """Where `pixels` keeps these pictures; its name is their key."""
    recipe = f"{PIXELS_VERSION}-{PIL.__version__}-{image_size}-{resize}"
    rows = manifest.table["pixels_sha256"].tolist()
    return cache_dir / "pixels" / recipe / hashlib.sha256("\n".join([recipe, *rows]).encode()).hexdigest()[:32]


class _Task(NamedTuple):
    manifest: Manifest
    image_size: int
    resize: Resize
    workers: int


class _Built(NamedTuple):
    decoded: int
    found: int


def _build(task: _Task, folder: Path, shape: shelf.Shape, progress: Progress | None) -> _Built:
    """Fill the map in the folder."""
    rows = task.manifest.table["pixels_sha256"].tolist()
    target = shelf.open_unfinished(folder, rows, shape)
    missing = [row for row in range(len(rows)) if not shelf.is_intact(target, row)]
    missing = _take_over(target, {row: rows[row] for row in missing}, folder)
    found = len(rows) - len(missing)
    done = 0
    for written in _decoded(task, missing, folder / shelf.PIXELS):
        for row, crc in written:
            target.crc[row] = crc
        done += len(written)
        if progress is not None:
            progress(done, len(missing))
    target.squares.flush()  # type: ignore[attr-defined]
    target.crc.flush()  # type: ignore[attr-defined]
    return _Built(done, found)


def _take_over(target: shelf.Map, missing: dict[int, str], folder: Path) -> list[int]:
    """Copy every missing picture that another map holds; the rows that none holds."""
    for there, other in shelf.others(folder.parent, folder):
        shared = [row for row, name in missing.items() if name in there]
        donor = shelf.open_any(other, (len(there), *target.squares.shape[1:])) if shared else None
        if donor is None:
            continue
        for row in shared:
            source = there[missing[row]]
            if shelf.is_intact(donor, source):
                target.squares[row], target.crc[row] = donor.squares[source], donor.crc[source]
                del missing[row]
    return list(missing)


def _decoded(task: _Task, missing: list[int], file: Path) -> Iterator[list[tuple[int, int]]]:
    """Decode these rows into the map; their checksums, chunk by chunk in any order."""
    table = task.manifest.table.iloc[missing]
    columns = (missing, table["path"].tolist(), table["pixels_sha256"].tolist())
    wanted = [Wanted(*values) for values in zip(*columns, strict=True)]
    chunks = [wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK)]
    recipe = Recipe(str(task.manifest.root), str(file), task.image_size, task.resize)
    if task.workers < 2 or not is_worth_a_pool(len(wanted), int(table["bytes"].sum())):
        yield from map(partial(write_squares, recipe), chunks)
        return
    try:
        with process_pool(min(task.workers, len(chunks))) as pool:
            for _, future in completed(pool, partial(write_squares, recipe), chunks, 2 * task.workers):
                yield future.result()
    except BrokenProcessPool as error:
        raise WorkersDied(
            "a process that decoded pictures was killed, perhaps for want of memory: give the same command again to go "
            "on, with fewer workers if it happens again"
        ) from error
