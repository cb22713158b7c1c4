"""Feature extraction: our pass over the pictures against the folded graph alone and against Keras's predict."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from figures import Figure, Round, Work, at_least, median
from measuring import Setting, pictures, plain, program, rounds, subset

SIZE = 128
LEAST = 1000
"""Pictures of a pass that folds the weights into its graph."""


class Network(NamedTuple):
    """A backbone, what is promised for it and on how many pictures it is measured."""

    name: str
    goal: float
    pictures: int
    """A multiple of Keras's batch of 32, which traces a smaller one anew."""
    times: int
    """Passes in each round, of which the median counts."""


NETWORKS = (Network("Xception", 1.15, 384, 1), Network("MobileNetV3Small", 1.7, 1472, 3))


def measure(setting: Setting) -> Iterator[Figure]:
    """Xception and MobileNetV3Small, in turn with Keras."""
    for network in NETWORKS:
        yield from _measure(setting, network._replace(pictures=setting.many(network.pictures, 64)))


def _measure(setting: Setting, network: Network) -> Iterator[Figure]:
    weights = setting.weights if network.name == "Xception" else None
    once, often = setting.scratch / f"{network.name}.npz", setting.scratch / f"{network.name}.npy"
    found = pictures(subset(setting, 1500 if setting.given and not setting.quick else 160), SIZE, network.pictures)
    found = np.resize(found, (network.pictures, *found.shape[1:]))
    np.savez(once, x=found)
    np.save(often, np.concatenate([found] * -(-LEAST // len(found))))
    against_keras, against_graph = [], []
    name = f"extraction of {network.name} features at {SIZE} px"
    for _ in rounds(setting, name):
        theirs = plain("extraction", arrays=once, application=network.name, weights=weights, runs=network.times)
        mine = program("our_extraction.py", str(often), network.name, str(weights or "none"), str(network.times))
        keras, ours, graph = (network.pictures / median(rates) for rates in (theirs["rates"], *zip(*mine, strict=True)))
        against_keras.append(Round(ours, keras))
        against_graph.append(Round(ours, graph))
    data, names = setting.names[0], (weights.name if weights else "random")
    work = Work(f"{name} / keras predict", at_least(network.goal), data, names, network.pictures, network.times, 1)
    note = "seconds for these pictures once, tracing apart"
    yield Figure(work, against_keras, note)
    alone = work._replace(name=f"{name} / folded graph alone", goal=at_least(0.95))
    yield Figure(alone, against_graph, f"{note}; plain_keras is the folded graph here, a batch after the other")
