"""Exhibits: what only the process that trained can show of a run, written beside its record for the report.

gradcam.npz         where the network looked: pictures it got most wrong, and one of each class that it got right
architecture.txt    the layers of backbone and head
augmentation.png    training pictures, a row each: as they are, then as the run saw them
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark import store
from benchmark.jobs import Assignment
from benchmark.model import augmentation, experiment, explain

WORST = 6
"""Errors that are explained, those with the highest loss."""
RIGHT = 6
"""Classes of which a picture that is right is explained."""
PREVIEWED, VIEWS = 6, 5

Indices = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]


class Explained(NamedTuple):
    """Pictures whose evidence is looked for."""

    rows: Indices
    """Of the manifest."""
    classes: Indices
    """The guess of each, whose evidence the map shows."""


def write(assignment: Assignment, data: experiment.Data, result: experiment.Result) -> None:
    """Write what there is to show of this run."""
    run = store.run_directory(assignment.job.directory, assignment.planned.run_id)
    chosen = chosen_for(result.test, data.labels[data.test], data.test)
    network = explain.cut(result.model)
    heat = explain.heat_maps(network, data.pixels[chosen.rows], chosen.classes)
    with store.replacing(run / "gradcam.npz") as temporary:
        np.savez_compressed(temporary, rows=chosen.rows, heat=heat, classes=chosen.classes)
    store.write_text(run / "architecture.txt", explain.architecture(network))
    if assignment.spec.augmentation.layers:
        _write_preview(run / "augmentation.png", assignment, data)


def chosen_for(probabilities: npt.NDArray[np.float32], truth: Indices, rows: Indices) -> Explained:
    """The worst errors, then for the first classes the most certain picture that is right; of test pictures."""
    guesses = probabilities.argmax(axis=1)
    certainty = probabilities[np.arange(len(truth)), truth]
    order = np.argsort(certainty, kind="stable")
    wrong = order[guesses[order] != truth[order]][:WORST]
    right = [
        found[-1]
        for label in np.unique(truth)
        if len(found := order[(guesses == truth)[order] & (truth[order] == label)])
    ]
    places = np.concatenate([wrong, np.array(right[:RIGHT], dtype=np.int64)]).astype(np.int64)
    return Explained(rows[places], guesses[places].astype(np.int64))


def _write_preview(path: Path, assignment: Assignment, data: experiment.Data) -> None:
    """A grid of pictures: the left column as they are."""
    spec = assignment.spec
    plain = data.pixels[data.train[np.linspace(0, len(data.train) - 1, PREVIEWED).astype(np.int64)]]
    random = augmentation.build(spec.augmentation, spec.seed, spec.dataset.image_size)
    columns = [plain, *(augmentation.preview(random, plain) for _ in range(VIEWS))]
    with store.replacing(path) as temporary:
        Image.fromarray(_grid(columns)).save(temporary, format="PNG")


def _grid(columns: Sequence[Pixels]) -> Pixels:
    """Pictures (n, S, S, 3) beside each other, with white between them, more of it after the first column."""
    gap = max(1, columns[0].shape[1] // 32)
    framed = [
        np.pad(column, ((0, 0), (gap, gap), (gap, 4 * gap if place == 0 else gap), (0, 0)), constant_values=255)
        for place, column in enumerate(columns)
    ]
    return np.concatenate([np.concatenate(line, axis=1) for line in zip(*framed, strict=True)], axis=0)
