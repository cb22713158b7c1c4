"""A small sweep made by hand: real specs and records, drawn predictions, no disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import pytest

from benchmark.metrics import score_all
from benchmark.predictions import Predictions
from benchmark.records import RunRecord

CLASSES = ("ant", "bee", "cat")
FINGERPRINT = "f" * 64

SPEC: dict[str, Any] = {
    "task": "multiclass",
    "dataset": {
        "name": "drawn",
        "source": "folder",
        "classes": None,
        "parts": None,
        "path_column": "path",
        "label_column": "label",
        "split_column": None,
        "group_column": None,
        "image_size": 32,
        "resize": "squish",
        "split": "holdout",
        "fractions": {"train": 0.7, "val": 0.15, "test": 0.15},
        "folds": 5,
        "fold": None,
        "split_seed": 0,
        "max_per_class": None,
        "min_per_class": 1,
        "small_classes": "refuse",
        "copies": "group",
        "near_distance": 4,
        "conflicts": "exclude",
        "group_pattern": None,
        "fix_leaks": False,
        "digits": None,
        "shapes": None,
    },
    "backbone": {"name": "minivgg", "weights": "none", "pooling": "flatten", "application": None},
    "head": {
        "name": "linear",
        "units": [],
        "input_batch_norm": False,
        "batch_norm": False,
        "hidden_dropout": 0.0,
        "dropout": 0.2,
    },
    "finetune": {"name": "full", "mode": "full", "last_n": None, "frozen_epochs": 0, "learning_rate_factor": 1.0},
    "weighting": {"name": "none", "rule": "none", "beta": 0.0, "focal_gamma": 0.0},
    "augmentation": {"name": "none", "layers": []},
    "training": {
        "optimizer": "adam",
        "learning_rate": 0.001,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "batch_size": 64,
        "epochs": 3,
        "monitor": "val_loss",
        "patience": None,
        "augmented_views": 0,
        "schedule": {
            "rule": "constant",
            "final_fraction": 0.0,
            "warmup_fraction": 0.0,
            "start_divisor": 25.0,
            "end_divisor": 1000.0,
            "factor": 0.5,
            "patience": 2,
            "minimum": 0.0,
        },
        "mixed_precision": "none",
        "label_smoothing": 0.0,
        "deterministic": True,
    },
    "seed": 0,
}


class Drawn(NamedTuple):
    """Test images of a drawn data set: identities, groups and true classes."""

    images: np.ndarray
    groups: np.ndarray
    truth: np.ndarray

    def answers(self, skill: float, seed: int) -> Predictions:
        """Predictions that are right about as often as `skill` says; harder images are harder for everyone."""
        count, classes = len(self.truth), len(CLASSES)
        hardness = np.random.Generator(np.random.PCG64(1)).random(count)
        luck = np.random.Generator(np.random.PCG64([seed, round(skill * 1e6)])).normal(0, 0.08, count)
        right = hardness + luck < skill
        guess = np.where(right, self.truth, (self.truth + 1) % classes)
        probabilities = np.full((count, classes), 0.1, np.float32)
        probabilities[np.arange(count), guess] = 0.8
        return Predictions(self.images, self.groups, self.truth, probabilities, CLASSES)


class Sweep:
    """Records and predictions of a sweep, added one run at a time."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn
        self.records: list[RunRecord] = []
        self.stored: dict[str, Predictions] = {}

    def add(self, skill: float = 0.8, *, seeds: Sequence[int] = (0, 1, 2), status: str = "ok", **spec: object) -> str:
        """Runs of one candidate, and its name; `spec` changes parts: `backbone="lenet"`, `training={"epochs": 5}`."""
        for seed in seeds:
            content = changed(spec) | {"seed": seed}
            self.add_run(content, self.drawn.answers(skill, seed) if status == "ok" else None, status)
        return self.records[-1].candidate

    def add_run(self, spec: dict[str, Any], predictions: Predictions | None, status: str = "ok") -> RunRecord:
        """One run of this spec."""
        blank = RunRecord.model_validate(record_fields(spec, status, predictions))
        names = {
            "run_id": blank.spec.run_id(FINGERPRINT),
            "candidate": blank.spec.candidate(FINGERPRINT),
        }
        record = blank.model_copy(update=names)
        self.records.append(record)
        if predictions is not None:
            self.stored[record.run_id] = predictions
        return record

    def predictions(self, record: RunRecord) -> Predictions:
        """What the run said about the test images."""
        return self.stored[record.run_id]


def record_fields(spec: dict[str, Any], status: str, predictions: Predictions | None) -> dict[str, Any]:
    """Everything a record holds but its names."""
    scores = score_all(predictions) if predictions else {}
    failed = status not in ("ok", "pending", "running")
    return {
        "run_id": "run",
        "candidate": "candidate",
        "sweep": "drawn",
        "spec": spec,
        "fingerprint": FINGERPRINT,
        "classes": CLASSES,
        "status": status,
        "failure": {"kind": "OutOfMemory", "message": "found too little memory"} if failed else None,
        "primary": "balanced_accuracy",
        "test": scores,
        "val": scores,
        "parameters": {"total": 1000, "trainable": 900, "features": 64, "flops": 5_000_000} if predictions else None,
        "cost": COST if predictions else None,
        "environment": {"cpu_cores": 2},
        "command": "python -m benchmark backbone=minivgg",
        "started": "2026-01-01T00:00:00+00:00",
    }


COST = {
    "epochs": 3,
    "best_epoch": 2,
    "seconds_pixels": 0.5,
    "seconds_features": 0.0,
    "seconds_train": 10.0,
    "seconds_predict": 0.25,
    "seconds_input": 0.5,
    "seconds_total": 11.0,
    "path": "whole",
    "stacked": 1,
    "batch_size_effective": 64,
    "peak_memory_mb": 700.0,
}


def changed(parts: dict[str, object]) -> dict[str, Any]:
    """The spec with some parts changed: a name, or a mapping of keys."""
    content = deepcopy(SPEC)
    for part, change in parts.items():
        content[part] |= change if isinstance(change, dict) else {"name": change}
    return content


def draw(count: int, group_size: int) -> Drawn:
    """Images of three unequal classes (3 : 2 : 1), in groups of the same class."""
    truth = np.sort(np.arange(count) % 6)
    truth = np.select([truth < 3, truth < 5], [0, 1], 2).astype(np.int64)
    images = np.array([f"{index:064x}" for index in range(count)])
    groups = np.array([f"{label}-{index // group_size}" for index, label in enumerate(truth)])
    return Drawn(images, groups, truth)


@pytest.fixture
def sweep() -> Sweep:
    """A sweep without runs on 300 test images, each a group of its own."""
    return Sweep(draw(300, 1))


@pytest.fixture
def sweep_of() -> Callable[[int, int], Sweep]:
    """From a number of test images and the size of their groups to a sweep without runs."""
    return lambda count, group_size: Sweep(draw(count, group_size))
