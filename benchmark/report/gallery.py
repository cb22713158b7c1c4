"""The gallery of a run: its errors, the worst first, and some of what it got right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.board.columns import csv_text
from benchmark.metrics import SMALLEST_PROBABILITY, recall_by_class
from benchmark.predictions import Predictions
from benchmark.report.panel import is_sure
from benchmark.report.pictures import Pictures, embedded

ERRORS = 1000
"""Errors on one page; all of them stand in errors.csv."""
RIGHT = 24
EMBEDDED = 48
"""Pictures inside the page itself, so that it shows the worst errors wherever it is copied to."""

CSV_COLUMNS = ("path", "truth", "guess", "probability", "probability_of_truth", "loss", "image")


class Item(NamedTuple):
    """A picture and what was said about it."""

    image: str
    path: str
    truth: str
    guess: str
    probability: float
    """Of the guess."""
    probability_of_truth: float
    loss: float
    """Negative natural logarithm of `probability_of_truth`."""


class Shown(NamedTuple):
    """An item with the source of its picture; empty when the file is gone."""

    item: Item
    source: str


def errors(predictions: Predictions, pictures: Pictures) -> list[Item]:
    """Every wrong answer, the highest loss first."""
    wrong = np.flatnonzero(predictions.guess != predictions.truth)
    order = wrong[np.argsort(predictions.probability_of_truth[wrong], kind="stable")]
    return _items(predictions, pictures, order)


def label_doubts(predictions: Predictions, pictures: Pictures) -> list[Item]:
    """Wrong answers that weigh against the label (`is_sure`), the surest first."""
    sure = is_sure(predictions.probabilities, predictions.truth, recall_by_class(predictions))
    doubted = np.flatnonzero(sure & (predictions.guess != predictions.truth))
    against = (predictions.confidence - predictions.probability_of_truth)[doubted]
    return _items(predictions, pictures, doubted[np.argsort(-against, kind="stable")])


def right_sample(predictions: Predictions, pictures: Pictures) -> list[Item]:
    """Some right answers of each class; the order of the pictures' hashes is as good as chance."""
    right = np.flatnonzero(predictions.guess == predictions.truth)
    right = right[np.argsort(predictions.images[right], kind="stable")]
    each = max(1, RIGHT // max(len(predictions.classes), 1))
    seen: dict[int, int] = {}
    chosen = []
    for row, label in zip(right.tolist(), predictions.truth[right].tolist(), strict=True):
        seen[label] = seen.get(label, 0) + 1
        if seen[label] <= each:
            chosen.append(row)
    return _items(predictions, pictures, np.array(chosen[:RIGHT], dtype=np.int64))


def errors_csv(items: Sequence[Item]) -> str:
    """errors.csv: one line a wrong answer."""
    lines = [list(CSV_COLUMNS)]
    for item in items:
        numbers = (f"{value:.6f}" for value in (item.probability, item.probability_of_truth, item.loss))
        lines.append([item.path, item.truth, item.guess, *numbers, item.image])
    return csv_text(lines)


def show(items: Sequence[Item], pictures: Pictures, page: Path) -> list[Shown]:
    """The items with their pictures: the first inside the page, the others beside it."""
    files = pictures.copies((item.image, item.truth) for item in items)
    depth = len(page.parent.relative_to(pictures.directory).parts)
    shown = []
    for place, item in enumerate(items):
        path = files.get(item.image)
        if path is None:
            shown.append(Shown(item, ""))
        elif place < EMBEDDED:
            shown.append(Shown(item, embedded(path)))
        else:
            shown.append(Shown(item, "../" * depth + path.relative_to(pictures.directory).as_posix()))
    return shown


def _items(predictions: Predictions, pictures: Pictures, rows: npt.NDArray[np.int64]) -> list[Item]:
    guesses, certain = predictions.guess, predictions.confidence
    chances = predictions.probability_of_truth
    losses = -np.log(np.clip(chances, SMALLEST_PROBABILITY, 1))
    items = []
    for row in rows.tolist():
        truth = predictions.classes[int(predictions.truth[row])]
        image = str(predictions.images[row])
        guess = predictions.classes[int(guesses[row])]
        numbers = (float(certain[row]), float(chances[row]), float(losses[row]))
        items.append(Item(image, pictures.path(image, truth), truth, guess, *numbers))
    return items
