"""One more head on cached features: in a stack of twelve, against Keras's build + compile + fit."""

import json
from collections.abc import Iterator

import numpy as np
from figures import Figure, Round, Work, at_least, median
from measuring import Setting, plain, program, rounds

PICTURES, VAL, WIDTH, CLASSES, BATCH = 3000, 500, 2048, 5, 32


def measure(setting: Setting) -> Iterator[Figure]:
    """A linear and a dense head; Keras and we in turn."""
    path, epochs = setting.scratch / "features.npz", setting.many(30, 2)
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, PICTURES + VAL)
    features = (random.standard_normal((len(labels), WIDTH)) * 0.5 + labels[:, None] * 0.02).astype("float32")
    np.savez(path, x=features[:PICTURES], y=labels[:PICTURES], x_val=features[PICTURES:], y_val=labels[PICTURES:])
    for name, units, goal in (("linear", [], 20.0), ("dense (128 units)", [128], 2.0)):
        found, rates = [], []
        work = f"one more {name} head in a stack of 12 (30 epochs, {PICTURES} x {WIDTH})"
        for _ in rounds(setting, work):
            keras = plain("head", features=path, units=units, dropout=0.2, epochs=epochs, batch=BATCH, runs=2)
            mine = program("our_heads.py", str(path), json.dumps(units), str(epochs), str(BATCH))
            found.append(Round(median(mine["seconds"]), median(keras["seconds"])))
            rates.append(mine["gflops"])
        note = _bound(units[0], epochs, median(rates)) if units else "seconds a head"
        yield Figure(Work(work, at_least(goal), "drawn features", "-", PICTURES + VAL, 12, epochs), found, note)


def _bound(units: int, epochs: int, rate: float) -> str:
    """The least seconds of a head with this hidden layer, if matrix products were all there is to do."""
    forward = 2 * units * (WIDTH + CLASSES)
    backward = forward + 2 * units * CLASSES  # by all weights, and by the hidden layer's values
    gflop = epochs * (PICTURES * (forward + backward) + VAL * forward) / 1e9
    return (
        f"seconds a head; its matrix products alone: {gflop:.1f} GFLOP at {rate:.0f} GFLOP/s, measured on large square "
        f"matrices, = {gflop / rate:.2f} s at least, for either side"
    )
