"""Latency: how long a classifier takes from decoded pictures to probabilities, measured once an architecture."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import keras
import numpy as np
import tensorflow as tf

from benchmark.model import settings, whitening
from benchmark.model.steps import Compiled, compiled
from benchmark.model.trained import TrainedModel
from benchmark.records import Latency
from benchmark.spec import RunSpec

MEASURE_VERSION = 2
"""Raised when the same model would be measured in another way."""
_WARMING = 1
"""Calls before the first one that counts: it makes what later calls find made."""
_FEWEST = 3
_BUDGET = 1.0
"""Seconds after which no call is added to the fewest ones."""


def load_or_measure(
    spec: RunSpec, classes: int, trained: Callable[[], TrainedModel], folder: Path, threads: int
) -> Latency:
    """The latency of the spec's architecture in this process's settings, from the folder if it was measured before.

    Weights and seeds play no part. One process measures at a time, so that they do not slow each other down.
    """
    identity = {**_architecture(spec, classes), **settings.identity(), "threads": threads, "host": platform.node()}
    text = json.dumps({**identity, "version": MEASURE_VERSION}, sort_keys=True, default=str)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    if (known := _known(path)) is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / "measuring.lock"):
        if (known := _known(path)) is not None:
            return known
        found = measure(trained().build(), spec.dataset.image_size)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"latency": found.model_dump(), "identity": json.loads(text)}, indent=1))
        partial.replace(path)
    return found


def measure(model: keras.Model, image_size: int) -> Latency:
    """The latency of a model from pixels 0..255 to probabilities, its graph compiled for uint8 pixels."""
    forward = compiled(
        lambda pixels: model(tf.cast(pixels, tf.float32), training=False),
        tf.TensorSpec((None, image_size, image_size, 3), tf.uint8),
    )
    one, many = _milliseconds(forward, 1, 30, image_size), _milliseconds(forward, 32, 10, image_size)
    return Latency(batch_1_p50=one[0], batch_1_p95=one[1], batch_32_p50=many[0], batch_32_p95=many[1])


def _milliseconds(forward: Compiled, pictures: int, calls: int, image_size: int) -> list[float]:
    """Median and 95th percentile of a call with so many pictures."""
    shape = (pictures, image_size, image_size, 3)
    pixels = tf.constant(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    spent: list[float] = []
    for _ in range(_WARMING + calls):
        if len(spent) >= _WARMING + _FEWEST and sum(spent) > _BUDGET:
            break
        start = time.perf_counter()
        # The host's copy is there only when the device has finished.
        forward(pixels).numpy()
        spent.append(time.perf_counter() - start)
    return [float(value) for value in np.percentile(np.array(spent[_WARMING:]) * 1000, [50, 95])]


def _architecture(spec: RunSpec, classes: int) -> dict[str, Any]:
    """All of a spec that decides how much a prediction computes; dropout rests then."""
    zca = whitening.wanted(spec.augmentation)
    return {
        "backbone": spec.backbone.model_dump(mode="json", exclude={"weights"}),
        "image_size": spec.dataset.image_size,
        "head": spec.head.model_dump(mode="json", include={"units", "input_batch_norm", "batch_norm"}),
        "classes": classes,
        "whitening": None if zca is None else zca.patch,
    }


def _known(path: Path) -> Latency | None:
    """What was measured before, if it can be read."""
    try:
        return Latency.model_validate(json.loads(path.read_text())["latency"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
