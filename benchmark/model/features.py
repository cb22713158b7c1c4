"""Features: what a frozen backbone says about every picture, computed once and kept on disk by content."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from benchmark.model.steps import chunks, compiled, predicted_batch

CODE_VERSION = 1
"""Raised when the same inputs would give other features."""
FOLDED_FROM = 1000
"""Pictures from which on folding the weights into the graph pays: it takes seconds, then saves a seventh."""
FOLDED_PARAMETERS = 300_000_000
"""Larger networks do not fit into a graph as constants, whose size is limited to 2 GB."""
_CHECKED_BYTES = 2**24

Pixels = npt.NDArray[np.uint8]
Activations = npt.NDArray[np.float32]


class Features(NamedTuple):
    """Activations of all pictures at the end of a frozen backbone."""

    values: Activations
    """(N, d), one row for each picture in the order of the pixels; mapped from disk, read-only."""
    seconds: float
    notes: tuple[str, ...]


def load_or_compute(backbone: keras.Model, pixels: Pixels, identity: dict[str, Any], folder: Path) -> Features:
    """The features of all pixels (N, S, S, 3), from the folder if they are there and whole, else computed into it.

    `identity` holds everything that decides the values. Processes that want the same features wait for the one that
    computes them.
    """
    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**identity, "code": CODE_VERSION}, sort_keys=True, default=str)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"
    shape = (len(pixels), int(backbone.output.shape[-1]))
    with filelock.FileLock(path.with_suffix(".lock")):
        damaged = path.exists() and not _is_whole(path, shape)
        if damaged or not path.exists():
            _write(path, shape, text, _batches(backbone, pixels))
    notes = (f"cached features {path.name} were damaged and were computed again",) if damaged else ()
    return Features(np.load(path, mmap_mode="r"), time.perf_counter() - start, notes)


def _batches(backbone: keras.Model, pixels: Pixels) -> Iterator[Activations]:
    """The backbone's features in inference mode, rows of all pictures in order."""
    forward = _forward(backbone, pixels)
    for rows in chunks(np.arange(len(pixels)), predicted_batch(pixels)):
        yield np.asarray(forward(pixels[rows]), dtype=np.float32)


def _forward(backbone: keras.Model, pixels: Pixels) -> Callable[[Pixels], Any]:
    """The backbone from uint8 pixels to float32 features, compiled in the way that is fastest for so many."""
    forward = compiled(
        lambda batch: tf.cast(backbone(tf.cast(batch, tf.float32), training=False), tf.float32),
        tf.TensorSpec((None, *pixels.shape[1:]), tf.uint8),
    )
    if len(pixels) < FOLDED_FROM or backbone.count_params() > FOLDED_PARAMETERS:
        return lambda batch: forward(batch)
    folded = convert_variables_to_constants_v2(forward.graph)
    return lambda batch: folded(tf.constant(batch))[0]


def _write(path: Path, shape: tuple[int, int], text: str, batches: Iterator[Activations]) -> None:
    """Write the array and its description under the final names when all of it is there."""
    partial = path.with_name(f".{path.stem}.{os.getpid()}.npy")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    checksum = 0
    try:
        # Not a memory map: writing one to a full disk ends the process instead of raising.
        with partial.open("wb") as stream:
            for part in itertools.chain([header.getvalue()], (batch.tobytes() for batch in batches)):
                stream.write(part)
                checksum = zlib.crc32(part, checksum)
        facts = {"size": partial.stat().st_size, "crc32": checksum, "identity": json.loads(text)}
        path.with_suffix(".json").write_text(json.dumps(facts, indent=1))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _is_whole(path: Path, shape: tuple[int, int]) -> bool:
    """Whether the file has the size, the checksum and the shape that were written."""
    try:
        facts = json.loads(path.with_suffix(".json").read_text())
        if path.stat().st_size != facts["size"] or _checksum(path) != facts["crc32"]:
            return False
        return bool(np.load(path, mmap_mode="r").shape == shape)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _checksum(path: Path) -> int:
    """The file's CRC-32, which finds flipped bits at memory speed."""
    found = 0
    with path.open("rb") as stream:
        while part := stream.read(_CHECKED_BYTES):
            found = zlib.crc32(part, found)
    return found
