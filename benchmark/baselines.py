"""Reference rows that train no network: what a candidate must beat to have learnt anything."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark import environment, metrics
from benchmark.predictions import Predictions
from benchmark.records import Baseline, RunRecord
from datasets.manifest import Manifest
from datasets.spec import DatasetSpec

SIZE = 32
"""Pixels a side of the pictures that the nearest neighbour is looked for in, before they are halved and made grey."""
NEIGHBOURS = 5


class BaselinePredictions(NamedTuple):
    """What a baseline says of both splits."""

    val: Predictions
    test: Predictions


def planned(sweep: RunRecord, data: DatasetSpec) -> list[RunRecord]:
    """The pending records of the baselines on the pictures of this run, which is any of its sweep."""
    fold = data.fold if data.split == "kfold" else None
    records = []
    for spec in (
        Baseline(baseline="majority", dataset=data.name, image_size=0, fold=fold),
        Baseline(baseline="nearest_neighbour", dataset=data.name, image_size=SIZE, fold=fold),
    ):
        whole = spec.model_copy(update={"fold": None})
        digest = hashlib.sha256(f"{whole.model_dump_json()}{sweep.fingerprint}".encode()).hexdigest()[:10]
        candidate = f"baseline-{spec.baseline}-{digest}"
        run_id = candidate if fold is None else f"{candidate}-fold{fold}"
        # Of a finished sweep only the baselines that are missing are done.
        command = f"{sweep.command} sweep.rerun=never"
        update = {"run_id": run_id, "candidate": candidate, "spec": spec, "command": command}
        update |= {"status": "pending", "notes": ()}
        records.append(sweep.model_copy(update=update))
    return records


def run(record: RunRecord, manifest: Manifest, small: npt.NDArray[np.uint8]) -> tuple[RunRecord, BaselinePredictions]:
    """The finished record and the predictions; `small` holds N x SIZE x SIZE x 3 pixels."""
    spec = record.spec
    assert isinstance(spec, Baseline)
    record = record.model_copy(update={"started": environment.now(), "environment": environment.describe()})
    split = manifest.table["split"].to_numpy(str)
    train = split == "train"
    counts = np.bincount(manifest.labels[train], minlength=len(manifest.classes))
    if spec.baseline == "majority":
        # Laplace's rule keeps every probability above 0, so that the log loss stays finite.
        probabilities = np.tile((counts + 1) / (counts + 1).sum(), (len(split), 1))
    else:
        probabilities = _nearest_neighbours(_grey(small), manifest.labels, train, len(manifest.classes))
    both = BaselinePredictions(*(_predictions(manifest, split == name, probabilities) for name in ("val", "test")))
    scores = {"val": metrics.score_all(both.val), "test": metrics.score_all(both.test)}
    return record.model_copy(update={"status": "ok", **scores}), both


def _grey(small: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """N x (SIZE/2)^2 brightness, 0..255: the mean of the channels and of 2 x 2 pixels."""
    half = SIZE // 2
    blocks = small.reshape(len(small), half, 2, half, 2, 3)
    return blocks.mean(axis=(2, 4, 5), dtype=np.float32).reshape(len(small), -1)


def _nearest_neighbours(
    grey: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], train: npt.NDArray[np.bool_], classes: int
) -> npt.NDArray[np.float64]:
    """N x C shares of each class among the nearest training pictures (Euclidean), by Laplace's rule."""
    neighbours = min(NEIGHBOURS, int(train.sum()))
    from sklearn.neighbors import KNeighborsClassifier  # noqa: PLC0415 - workers begin before it is loaded

    model = KNeighborsClassifier(neighbours, algorithm="brute").fit(grey[train], labels[train])
    votes = np.zeros((len(grey), classes))
    votes[:, model.classes_] = model.predict_proba(grey) * neighbours
    return (votes + 1 / classes) / (neighbours + 1)


def _predictions(
    manifest: Manifest, rows: npt.NDArray[np.bool_], probabilities: npt.NDArray[np.float64]
) -> Predictions:
    """The probabilities of these rows with their pictures."""
    table = manifest.table[rows]
    images, groups = table["pixels_sha256"].to_numpy(str), table["group"].to_numpy(str)
    return Predictions(images, groups, manifest.labels[rows], probabilities[rows].astype(np.float32), manifest.classes)
