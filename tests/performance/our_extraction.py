"""Images per second of our feature extraction and of the folded graph alone: our_extraction.py PIXELS NAME WEIGHTS N"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from backbones.build import build  # noqa: E402
from backbones.registry import BackboneSpec  # noqa: E402
from benchmark.model import passes, settings  # noqa: E402

WARM_UP, BATCH = 4, 64
"""Batches that are not counted: at the beginning, and as many of ours at the end."""


def main() -> None:
    """Time both in turn on the same pictures, tracing and folding not counted: a sweep pays for them once."""
    settings.configure(settings.Settings(os.cpu_count() or 1, True, "none"))
    path, name, weights, rounds = Path(sys.argv[1]), sys.argv[2].lower(), sys.argv[3], int(sys.argv[4])
    pixels = np.load(path, mmap_mode="r")
    chosen = "none" if weights == "none" else f"{Path(weights).name}@sha256:00000000"
    spec = BackboneSpec(name=name, weights=chosen, pooling="avg", application=None)
    backbone = build(spec, pixels.shape[1], None if weights == "none" else Path(weights))
    folded = _folded(backbone, pixels)
    for start in range(0, WARM_UP * BATCH, BATCH):
        folded(tf.constant(pixels[start : start + BATCH]))
    print(json.dumps([(_ours(backbone, pixels), _alone(folded, pixels)) for _ in range(rounds)]))


def _ours(backbone: keras.Model, pixels: np.ndarray) -> float:
    """Images per second of the pass that fills the cache.

    Batches are begun before their turn. From one batch to another that has as many begun behind it, no more has been
    done than was handed out.
    """
    seen = [(time.perf_counter(), batch.rows[-1]) for batch in passes.plain(backbone, pixels)]
    (begun, first), (ended, last) = seen[WARM_UP], seen[-1 - WARM_UP]
    return float((last - first) / (ended - begun))


def _folded(backbone: keras.Model, pixels: np.ndarray) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """The network's graph with its variables folded to constants."""
    graph = tf.function(
        lambda batch: backbone(tf.cast(batch, tf.float32), training=False),
        input_signature=[tf.TensorSpec((None, *pixels.shape[1:]), tf.uint8)],
        autograph=False,
    )
    return convert_variables_to_constants_v2(graph.get_concrete_function())


def _alone(folded: Callable[[tf.Tensor], list[tf.Tensor]], pixels: np.ndarray) -> float:
    """Images per second of the folded graph, one batch after the other."""
    begun = time.perf_counter()
    for start in range(0, len(pixels), BATCH):
        folded(tf.constant(pixels[start : start + BATCH]))
    return len(pixels) / (time.perf_counter() - begun)


main()
