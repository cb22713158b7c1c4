"""Sweeps as a whole: small networks, what a run costs besides its arithmetic, planning, and doing nothing twice."""

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import ROOT, Measured, Setting, at_least, at_most, costs, fresh, median, ours, plain, rounds
from PIL import Image

TRAIN, VAL, SIDE = 749, 161, 32
"""As many pictures as the digits have once copies are grouped and the test split is set apart."""
SMALL = ("dataset=digits", "finetune=full", "head=linear", "machine.measure_latency=false", "report.level=none")


def measure(setting: Setting) -> list[Measured]:
    """All figures of small networks and of the machinery around them."""
    return [*_minivgg(setting), *_shallownet(setting), *_machinery(setting)]


def _minivgg(setting: Setting) -> list[Measured]:
    """The step rate, and whole runs against a process a run that decodes in every epoch."""
    arrays, folder = _drawn(setting.scratch)
    batch, epochs, runs = 32, 10, 8 if setting.full else 6
    rates, wholes, details = [], [], []
    work = f"minivgg on digits, {runs} runs x {epochs} epochs"
    for turn in rounds(setting, work):
        results = fresh(setting.scratch / f"minivgg{turn}")
        keras = plain("small_net", arrays=arrays, name="minivgg", epochs=4, batch=batch, runs=2)
        words = (*SMALL, "backbone=minivgg", f"training.epochs={epochs}", f"training.batch_size={batch}")
        wall = ours(*words, f"seed=range({runs})", f"paths.results={results}")
        mine = [median(epoch["seconds"][1:]) for epoch in _histories(results)]
        rates.append(median(keras["epochs"]) / median(mine))
        disk = plain("small_net_from_disk", folder=folder, name="minivgg", size=SIDE, epochs=4, batch=batch)
        naive = runs * (disk["start_up"] + disk["epochs"][0] + (epochs - 1) * median(disk["epochs"][1:]))
        wholes.append(naive / wall)
        details.append(
            f"{median(keras['epochs']):.2f} / {median(mine):.2f} s an epoch; {naive:.0f} / {wall:.0f} s in all"
        )
    return [
        at_least(f"{work}: step rate / model.fit on arrays in memory", 0.95, rates, details[-1]),
        at_least(f"{work}: a process a run, decoding from disk / ours", 1.2, wholes, ", ".join(details)),
    ]


def _shallownet(setting: Setting) -> list[Measured]:
    """Short fits: what a warm compiled network saves."""
    arrays, _ = _drawn(setting.scratch)
    ratios, details = [], []
    work = "shallownet on digits, 40 runs x 2 epochs: build + compile + fit / ours"
    for turn in rounds(setting, work):
        results = fresh(setting.scratch / f"shallownet{turn}")
        keras = plain("small_net", arrays=arrays, name="shallownet", epochs=2, batch=32, runs=5)
        words = (*SMALL, "backbone=shallownet", "training.epochs=2", "training.batch_size=32")
        ours(*words, "seed=range(40)", f"paths.results={results}")
        mine = median(costs(results)["seconds_total"])
        ratios.append(median(keras["seconds"]) / mine)
        details.append(f"{median(keras['seconds']):.2f} / {mine:.3f} s")
    return [at_least(work, 3, ratios, ", ".join(details))]


def _machinery(setting: Setting) -> list[Measured]:
    """A sweep of a hundred runs, the same again, and a plan of a thousand jobs."""
    words = (*SMALL, "backbone=shallownet", "training.epochs=2", "weighting=none,balanced", "seed=range(50)")
    walls, pauses, again, planning = [], [], [], []
    for turn in rounds(setting, "a sweep of 100 runs, the same again, and a plan of 1,000 jobs"):
        results = fresh(setting.scratch / f"hundred{turn}")
        walls.append(ours(*words, f"paths.results={results}"))
        pauses.append(median(_pauses(results)))
        again.append(ours(*words, f"paths.results={results}"))
        planning.append(_plan_of_thousand(results))
    detail = f"the sweeps of 100 took {', '.join(f'{wall:.0f}' for wall in walls)} s"
    pause = "overhead a run beyond training and prediction, median in a sweep of 100"
    plan = "composing, validating and planning 1,000 jobs"
    return [
        at_most(pause, 0.3, "s", pauses, detail),
        at_most("the same sweep of 100 finished runs again", 5, "s", again, ""),
        at_most(plan, 60, "s", planning, "five backbones, start-up included"),
    ]


def _pauses(results: Path) -> list[float]:
    """Seconds from one record to the next that are neither training nor prediction nor features."""
    records = sorted(results.glob("*/runs/*/record.json"), key=lambda path: path.stat().st_mtime)
    found = [(path.stat().st_mtime, json.loads(path.read_text())) for path in records]
    found = [(when, record["cost"]) for when, record in found if record.get("cost")]
    return [
        later - before - sum(cost[f"seconds_{part}"] for part in ("train", "predict", "features"))
        for (before, _), (later, cost) in itertools.pairwise(found)
    ]


def _plan_of_thousand(results: Path) -> float:
    """Seconds of a dry run, start-up included."""
    begun = time.perf_counter()
    plan = [
        sys.executable,
        "-m",
        "benchmark",
        "-m",
        "backbone=shallownet,lenet,minivgg,xception,resnet50v2",
        "dataset.image_size=75",
        "backbone.weights=none",
        "weighting=none,balanced",
        "finetune=frozen,full",
        "seed=range(50)",
        "launcher.dry_run=true",
        f"paths.results={results}/plan",
    ]
    done = subprocess.run(plan, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "1000 runs" in done.stdout
    return time.perf_counter() - begun


def _histories(results: Path) -> list[pd.DataFrame]:
    return [pd.read_csv(path) for path in results.glob("*/runs/*/history.csv")]


def _drawn(scratch: Path) -> tuple[Path, Path]:
    """Random pictures, as arrays and as files in class folders."""
    arrays, folder = scratch / "small.npz", scratch / "small"
    if arrays.exists():
        return arrays, folder
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (TRAIN + VAL, SIDE, SIDE, 3), dtype=np.uint8)
    labels = random.integers(0, 10, len(pixels))
    np.savez(arrays, x=pixels[:TRAIN], y=labels[:TRAIN], x_val=pixels[TRAIN:], y_val=labels[TRAIN:])
    for number, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / str(label) / f"{number}.png")
    return arrays, folder
