"""Images per second of our feature extraction and of the folded graph alone: our_extraction.py PIXELS NAME WEIGHTS"""

import itertools
import json
import sys
import time
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

WARM_UP, BATCH = 2, 64


def main() -> None:
    """Time both on the same pictures, tracing and folding not counted: a sweep pays for them once."""
    settings.configure(settings.Settings(2, True, "none"))
    pixels, name, weights = np.load(sys.argv[1])["x"], sys.argv[2].lower(), sys.argv[3]
    pixels = np.concatenate([pixels] * -(-passes.FOLDED_FROM // len(pixels)))
    chosen = "none" if weights == "none" else f"{Path(weights).name}@sha256:00000000"
    spec = BackboneSpec(name=name, weights=chosen, pooling="avg", application=None)
    backbone = build(spec, pixels.shape[1], None if weights == "none" else Path(weights))
    mine, alone = [], []
    for _ in range(2):
        mine.append(_ours(backbone, pixels))
        alone.append(_folded(backbone, pixels))
    print(json.dumps({"ours": max(mine), "graph": max(alone)}))


def _ours(backbone: keras.Model, pixels: np.ndarray) -> float:
    """Images per second of the pass that fills the cache."""
    batches = passes.plain(backbone, pixels)
    sum(1 for _ in itertools.islice(batches, WARM_UP))
    begun = time.perf_counter()
    seen = sum(len(batch.rows) for batch in batches)
    return seen / (time.perf_counter() - begun)


def _folded(backbone: keras.Model, pixels: np.ndarray) -> float:
    """Images per second of the graph with its variables folded to constants, fed from memory."""
    graph = tf.function(
        lambda batch: backbone(tf.cast(batch, tf.float32), training=False),
        input_signature=[tf.TensorSpec((None, *pixels.shape[1:]), tf.uint8)],
        autograph=False,
    ).get_concrete_function()
    folded = convert_variables_to_constants_v2(graph)
    for _ in range(WARM_UP):
        folded(tf.constant(pixels[:BATCH]))
    begun = time.perf_counter()
    for start in range(0, len(pixels), BATCH):
        folded(tf.constant(pixels[start : start + BATCH]))
    return len(pixels) / (time.perf_counter() - begun)


main()
