"""Feature extraction: our pass over the pictures against the folded graph alone and against Keras's predict."""

import json
import subprocess
import sys
from typing import NamedTuple

import numpy as np
from measuring import HERE, ROOT, Measured, Setting, at_least, median, pictures, plain, rounds, subset

SIZE = 128
LEAST = 1000
"""Pictures of a pass that folds the weights into its graph."""


class Network(NamedTuple):
    """A backbone, what is promised for it and on how many pictures it is measured."""

    name: str
    goal: float
    pictures: int
    """A multiple of Keras's batch of 32, which traces a smaller one anew."""
    runs: int
    """Times in each round, of which the median counts."""


NETWORKS = (Network("Xception", 1.15, 384, 1), Network("MobileNetV3Small", 1.7, 1472, 3))


def measure(setting: Setting) -> list[Measured]:
    """Xception and MobileNetV3Small, in turn with Keras."""
    return [one for network in NETWORKS for one in _measure(setting, network)]


def _measure(setting: Setting, network: Network) -> list[Measured]:
    weights = setting.weights if network.name == "Xception" else None
    once, often = setting.scratch / f"{network.name}.npz", setting.scratch / f"{network.name}.npy"
    found = pictures(subset(setting, 300 if setting.full else 40), SIZE, network.pictures)
    found = np.resize(found, (network.pictures, *found.shape[1:]))
    np.savez(once, x=found)
    np.save(often, np.concatenate([found] * -(-LEAST // len(found))))
    against_keras, against_graph, details = [], [], []
    work = f"extraction of {network.name} features at {SIZE} px"
    for _ in rounds(setting, work):
        theirs = plain("extraction", arrays=once, application=network.name, weights=weights, runs=network.runs)
        words = [str(HERE / "our_extraction.py"), str(often), network.name, str(weights or "none"), str(network.runs)]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, cwd=ROOT)
        mine = json.loads(done.stdout.splitlines()[-1])
        ours, keras = median(one["ours"] for one in mine), median(theirs["rates"])
        against_keras.append(ours / keras)
        against_graph.append(median(one["ours"] / one["graph"] for one in mine))
        details.append(f"{ours:.0f} / {keras:.0f} images/s")
    return [
        at_least(f"{work} / keras predict", network.goal, against_keras, ", ".join(details)),
        at_least(f"{work} / folded graph alone", 0.95, against_graph, ""),
    ]
