"""One more head on cached features: in a stack of twelve, against Keras's build + compile + fit."""

import json
import subprocess
import sys

import numpy as np
from measuring import HERE, ROOT, Measured, Setting, at_least, median, plain, rounds

PICTURES, WIDTH, CLASSES, EPOCHS, BATCH = 3000, 2048, 5, 30, 32


def measure(setting: Setting) -> list[Measured]:
    """A linear and a dense head; Keras and we in turn."""
    path = setting.scratch / "features.npz"
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, PICTURES + 500)
    features = (random.standard_normal((len(labels), WIDTH)) * 0.5 + labels[:, None] * 0.02).astype("float32")
    np.savez(path, x=features[:PICTURES], y=labels[:PICTURES], x_val=features[PICTURES:], y_val=labels[PICTURES:])
    found = []
    for name, units, goal in (("linear", [], 20.0), ("dense (128 units)", [128], 2.0)):
        ratios, details = [], []
        work = f"one more {name} head in a stack of 12 ({EPOCHS} epochs, {PICTURES} x {WIDTH})"
        for _ in rounds(setting, work):
            keras = median(
                plain("head", features=path, units=units, dropout=0.2, epochs=EPOCHS, batch=BATCH, runs=2)["seconds"]
            )
            words = [sys.executable, str(HERE / "our_heads.py"), str(path), json.dumps(units), str(EPOCHS), str(BATCH)]
            done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
            mine = median(json.loads(done.stdout.splitlines()[-1]))
            ratios.append(keras / mine)
            details.append(f"{keras:.2f} / {mine:.3f} s")
        found.append(at_least(work, goal, ratios, ", ".join(details)))
    return found
