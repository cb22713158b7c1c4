"""Latency: how long a classifier takes from decoded pictures to probabilities, measured once an architecture."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import keras
import numpy as np
import psutil
import tensorflow as tf

from benchmark.jobs import MEASURING
from benchmark.model import settings, whitening
from benchmark.model.steps import Compiled, compiled
from benchmark.model.trained import TrainedModel
from benchmark.records import QUIET, Latency
from benchmark.spec import RunSpec

MEASURE_VERSION = 3
"""Raised when the same model would be measured in another way."""
_WARMING = 1
"""Calls before the first one that counts: it makes what later calls find made."""
_FEWEST = 3
_ATTEMPTS = 2
"""Measurements, of which the least disturbed one counts."""
_PATIENCE = 2.0
"""Seconds in which quiet is waited for, before all of them together: other workers of a sweep never are."""
_LOOK = 0.2
"""Seconds in which it is seen what others use."""
_BUDGET = 1.0
"""Seconds after which no call is added to the fewest ones."""


def load_or_measure(
    spec: RunSpec, classes: int, trained: Callable[[], TrainedModel], folder: Path, threads: int
) -> Latency:
    """The latency of the spec's architecture in this process's settings, from the folder if it was measured before.

    Weights and seeds play no part. One process measures at a time, and waits a little for others to be quiet.
    """
    identity = {**_architecture(spec, classes), **settings.identity(), "threads": threads, "host": platform.node()}
    text = json.dumps({**identity, "version": MEASURE_VERSION}, sort_keys=True, default=str)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    if (known := _known(path)) is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / MEASURING):
        if (known := _known(path)) is not None:
            return known
        model = trained().build()
        found = _least_disturbed(lambda: measure(model, spec.dataset.image_size))
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


def _least_disturbed(measurement: Callable[[], Latency]) -> Latency:
    """The measurement during which others used the processors least; one in quiet is enough."""
    found: list[Latency] = []
    patience = time.perf_counter() + _PATIENCE
    for _ in range(_ATTEMPTS):
        while _others(lambda: time.sleep(_LOOK)) > QUIET and time.perf_counter() < patience:
            pass
        share = _others(lambda: found.append(measurement()))
        found[-1] = found[-1].model_copy(update={"others": share})
        if share <= QUIET:
            break
    return min(found, key=lambda one: one.others or 0.0)


def _others(work: Callable[[], object]) -> float:
    """Do the work; the share of this process's processors, 0..1, that other processes used meanwhile."""
    busy, own, start = _busy(), time.process_time(), time.perf_counter()
    work()
    passed = (time.perf_counter() - start) * len(_processors())
    return float(np.clip((_busy() - busy - (time.process_time() - own)) / passed, 0.0, 1.0))


def _busy() -> float:
    """Seconds for which the processors of this process have worked since the system began."""
    times = psutil.cpu_times(percpu=True)
    return sum(sum(times[place][:3]) for place in _processors() if place < len(times))  # user, nice, system


def _processors() -> list[int]:
    """Those that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


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
