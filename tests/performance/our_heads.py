"""Seconds for one head of a stack of twelve, and what this machine multiplies: our_heads.py FEATURES UNITS EPOCHS BATCH

Prints the seconds of each stack, divided by its heads, and the GFLOP/s of large square matrix products.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from hydra import compose, initialize_config_dir

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmark import config  # noqa: E402
from benchmark.model import settings, stack  # noqa: E402

HEADS, RUNS = 12, 3
SIDE, PRODUCTS = 2048, 20
"""Of the square matrices, and how many products are timed, of which the fastest counts: it is a bound."""


def main() -> None:
    """Train the stack several times; the first time pays for tracing, as the first stack of a sweep does."""
    found = np.load(sys.argv[1])
    units, epochs, batch = json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    settings.configure(settings.Settings(os.cpu_count() or 1, True, "none"))
    activations = np.concatenate([found["x"], found["x_val"]])
    labels = np.concatenate([found["y"], found["y_val"]])
    classes = tuple(str(label) for label in range(int(labels.max()) + 1))
    train, val = np.arange(len(found["x"])), np.arange(len(found["x"]), len(labels))
    shared = stack.Shared(activations, None, labels, train, val, classes)
    words = [
        "backbone=xception",
        "backbone.weights=none",
        "dataset.image_size=96",
        "finetune=frozen",
        f"training.epochs={epochs}",
    ]
    words += [f"training.batch_size={batch}", f"head={'dense' if units else 'linear'}", "head.dropout=0.2"]
    seconds = []
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for run in range(RUNS):
            members = []
            for seed in range(HEADS):
                more = [*words, f"seed={HEADS * run + seed}", *([f"head.units={units}"] if units else [])]
                [job] = config.to_jobs(config.without_machinery(compose("config", more)), more)
                members.append(stack.Member(job.spec, (1.0,) * len(classes)))
            begun = time.perf_counter()
            trained = stack.train(members, shared, lambda member, row: None)
            assert all(len(one.rows) == epochs for one in trained)
            seconds.append((time.perf_counter() - begun) / HEADS)
    print(json.dumps({"seconds": seconds, "gflops": _multiplied()}))


def _multiplied() -> float:
    """10^9 floating-point operations a second of a matrix product, with the threads that the stack had."""
    square = tf.random.normal((SIDE, SIDE))
    rates = []
    for _ in range(PRODUCTS):
        begun = time.perf_counter()
        tf.matmul(square, square).numpy()
        rates.append(2 * SIDE**3 / (time.perf_counter() - begun) / 1e9)
    return float(np.max(rates))


main()
