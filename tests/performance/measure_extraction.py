"""Feature extraction: our pass over the pictures against the folded graph alone and against Keras's predict."""

import json
import subprocess
import sys

import numpy as np
from measuring import HERE, ROOT, Measured, Setting, at_least, median, pictures, plain, subset

SIZE = 128


def measure(setting: Setting) -> list[Measured]:
    """Xception and MobileNetV3Small, in turn with Keras."""
    found = []
    for application, goal, number in (("Xception", 1.15, 384), ("MobileNetV3Small", 1.7, 1500)):
        weights = setting.weights if application == "Xception" else None
        path = setting.scratch / f"{application}.npz"
        np.savez(path, x=pictures(subset(setting, 300 if setting.full else 40), SIZE, number))
        against_keras, against_graph = [], []
        for _ in range(setting.repeats):
            keras = median(plain("extraction", arrays=path, application=application, weights=weights, runs=2)["rates"])
            words = [sys.executable, str(HERE / "our_extraction.py"), str(path), application, str(weights or "none")]
            done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
            rates = json.loads(done.stdout.splitlines()[-1])
            against_keras.append(rates["ours"] / keras)
            against_graph.append(rates["ours"] / rates["graph"])
        work = f"extraction of {application} features at {SIZE} px"
        found.append(at_least(f"{work} / keras predict", goal, median(against_keras), f"{rates['ours']:.0f} images/s"))
        found.append(at_least(f"{work} / folded graph alone", 0.95, median(against_graph), ""))
    return found
