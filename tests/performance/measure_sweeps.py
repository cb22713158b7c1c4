"""Sweeps as a whole: small networks on the digits, and what they take beside plain Keras on the same pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from figures import Figure, Round, Work, at_least, median
from measuring import Parted, Setting, arrays, costs, fresh, ours, parted, plain, rounds

SIDE, BATCH = 32, 32
SMALL = ("dataset=digits", "finetune=full", "head=linear", "machine.measure_latency=false", "report.level=none")


class Digits(NamedTuple):
    """The split digits, as files and as arrays."""

    files: Parted
    arrays: Path


def measure(setting: Setting) -> Iterator[Figure]:
    """All figures of small networks."""
    files = parted(["dataset=digits"], setting.scratch / "digits" / "split")
    digits = Digits(files, arrays(files.root, SIDE))
    yield from _minivgg(setting, digits)
    yield from _shallownet(setting, digits)


def _minivgg(setting: Setting, digits: Digits) -> Iterator[Figure]:
    """The step rate, and whole runs against a process a run that decodes in every epoch."""
    epochs, runs = setting.many(10, 2), setting.many(20, 2)
    steps, wholes = [], []
    name = "minivgg on digits, 20 runs x 10 epochs"
    shared = {"name": "minivgg", "epochs": epochs, "batch": BATCH}
    for turn in rounds(setting, name):
        results = fresh(setting.scratch / f"minivgg{turn}")
        in_memory = plain("small_net", arrays=digits.arrays, runs=1, **shared)
        from_disk = plain("small_net_from_disk", folder=digits.files.root, size=SIDE, **shared)
        words = (*SMALL, "backbone=minivgg", f"training.epochs={epochs}", f"training.batch_size={BATCH}")
        wall = ours(*words, f"seed=range({runs})", f"paths.results={results}")
        histories = [pd.read_csv(path) for path in results.glob("*/runs/*/history.csv")]
        mine = median(median(epoch["seconds"][1:]) for epoch in histories)
        steps.append(Round(mine, median(in_memory["epochs"])))
        wholes.append(Round(wall, runs * from_disk["seconds"]))
    pictures = sum(digits.files.counts)
    step = Work(f"{name}: step rate / model.fit on arrays", at_least(0.95), "digits", "random", pictures, runs, epochs)
    yield Figure(step, steps, "seconds of an epoch, validation included, the first epoch apart; Keras: one fit a round")
    whole = step._replace(name=f"{name}: a process a run, decoding from disk / ours", goal=at_least(1.2))
    yield Figure(whole, wholes, f"end to end; plain Keras: {runs} times one whole process, measured in each round")


def _shallownet(setting: Setting, digits: Digits) -> Iterator[Figure]:
    """Short fits: what a warm compiled network saves."""
    epochs, runs = 2, setting.many(40, 3)
    found = []
    name = "shallownet on digits, 40 runs x 2 epochs: build + compile + fit / ours"
    for turn in rounds(setting, name):
        results = fresh(setting.scratch / f"shallownet{turn}")
        fits = setting.many(10, 2)
        keras = plain("small_net", arrays=digits.arrays, name="shallownet", epochs=epochs, batch=BATCH, runs=fits)
        words = (*SMALL, "backbone=shallownet", f"training.epochs={epochs}", f"training.batch_size={BATCH}")
        ours(*words, f"seed=range({runs})", f"paths.results={results}")
        found.append(Round(median(costs(results)["seconds_total"]), median(keras["seconds"])))
    pictures = sum(digits.files.counts)
    work = Work(name, at_least(3), "digits", "random", pictures, runs, epochs)
    yield Figure(work, found, "median seconds of a run; ours predicts and writes its files in them, Keras fits alone")
