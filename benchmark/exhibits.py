"""Exhibits: what only the process that trained can show of a run, written beside its record for the report.

augmentation.png    training pictures, a row each: as they are, then as the run saw them
architecture.txt    the layers of backbone and head
gradcam.npz         where the network looked: pictures it got most wrong, and one of each class that it got right; for
                    one run of a candidate, since every picture has to pass through the whole network again
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
RIGHT = 24
"""Classes of which a picture that is right is explained; of more, those that are known worst."""
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
    if assignment.spec.augmentation.layers:
        _write_preview(run / "augmentation.png", assignment, data)
    network = explain.cut(result.model)
    store.write_text(run / "architecture.txt", explain.architecture(network))
    if assignment.exhibited:
        _write_heat(run / "gradcam.npz", network, data, result)


def chosen_for(probabilities: npt.NDArray[np.float32], truth: Indices, rows: Indices) -> Explained:
    """The worst errors, then of each class the most certain picture that is right; of test pictures.

    Of more than `RIGHT` classes those with the lowest recall; a class that is never right has no such picture.
    """
    guesses = probabilities.argmax(axis=1)
    certainty = probabilities[np.arange(len(truth)), truth]
    order = np.argsort(certainty, kind="stable")
    right = (guesses == truth)[order]
    wrong = order[~right][:WORST]
    most_certain = {int(label): place for label, place in zip(truth[order][right], order[right], strict=True)}
    known = np.unique(truth[guesses == truth])
    recall = [float((guesses == truth)[truth == label].mean()) for label in known]
    kept = np.sort(known[np.argsort(recall, kind="stable")[:RIGHT]])
    samples = np.array([most_certain[label] for label in kept.tolist()], dtype=np.int64)
    places = np.concatenate([wrong, samples])
    return Explained(rows[places], guesses[places].astype(np.int64))


def _write_heat(path: Path, network: explain.Cut, data: experiment.Data, result: experiment.Result) -> None:
    """Heat maps of the chosen test pictures, with the method that made them."""
    chosen = chosen_for(result.test, data.labels[data.test], data.test)
    heat = explain.heat_maps(network, data.pixels[chosen.rows], chosen.classes)
    with store.replacing(path) as temporary:
        np.savez_compressed(
            temporary, rows=chosen.rows, heat=heat, classes=chosen.classes, method=np.array(network.method)
        )


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
