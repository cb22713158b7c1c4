"""Precision, recall and F1 of every class, with intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.board.columns import csv_text
from benchmark.metrics import confusion
from benchmark.predictions import Predictions
from benchmark.statistics import Answers, Outcomes, answers_from_probabilities, estimate
from benchmark.statistics.intervals import wilson

Floats = npt.NDArray[np.float64]

COLUMNS = (
    "class", "precision", "precision_low", "precision_high", "recall", "recall_low", "recall_high",
    "f1", "f1_low", "f1_high", "support", "guessed",
)  # fmt: skip
AVERAGES = ("macro average", "weighted average")


class Shares(NamedTuple):
    """Shares of C classes with 95 % intervals, 0..1; NaN where a class was never guessed, or has no pictures."""

    value: Floats
    low: Floats
    high: Floats


class Average(NamedTuple):
    """A mean over classes; NaN ends where there is no method for its interval."""

    name: str
    precision: tuple[float, float, float]
    recall: tuple[float, float, float]
    f1: tuple[float, float, float]


class ClassReport(NamedTuple):
    """What the report of C classes holds."""

    classes: tuple[str, ...]
    precision: Shares
    recall: Shares
    f1: Shares
    support: npt.NDArray[np.int64]
    """Pictures of the class."""
    guessed: npt.NDArray[np.int64]
    """Pictures taken for the class."""
    averages: tuple[Average, ...]


def class_report(predictions: Predictions) -> ClassReport:
    """The report of one run's predictions.

    Intervals of Wilson (1927); that of F1 through the share of right pictures among those of the class or taken for
    it, of which F1 is a monotone function. Pictures of one group count as one.
    """
    counts = confusion(predictions)
    right, support, guessed = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    # How much less N pictures tell when they come in groups.
    independent = len(np.unique(predictions.groups)) / max(len(predictions.groups), 1)
    recall = _shares(right, support, independent)
    precision = _shares(right, guessed, independent)
    # A class without pictures has no F1, as in the board's macro F1.
    union = np.where(support > 0, support + guessed - right, 0)
    f1 = Shares(*(2 * share / (1 + share) for share in _shares(right, union, independent)))
    averages = _averages(predictions, precision, recall, f1, support)
    return ClassReport(predictions.classes, precision, recall, f1, support, guessed, averages)


def classes_csv(report: ClassReport) -> str:
    """classes.csv: one line a class and one for each average."""
    shares = (report.precision, report.recall, report.f1)
    lines = [list(COLUMNS)]
    for place, name in enumerate(report.classes):
        cells = [_cell(float(ends[place])) for share in shares for ends in share]
        lines.append([name, *cells, str(report.support[place]), str(report.guessed[place])])
    for average in report.averages:
        cells = [_cell(end) for ends in (average.precision, average.recall, average.f1) for end in ends]
        lines.append([average.name, *cells, str(report.support.sum()), str(report.guessed.sum())])
    return csv_text(lines)


def _shares(right: npt.NDArray[np.int64], units: npt.NDArray[np.int64], independent: float) -> Shares:
    """Right among units, with Wilson intervals; NaN where there are no units."""
    value = np.divide(right, units, out=np.full(len(units), np.nan), where=units > 0)
    band = wilson(value, np.maximum(units * independent, 1), float(stats.norm.ppf(0.975)))
    return Shares(value, band.low, band.high)


def _averages(
    predictions: Predictions, precision: Shares, recall: Shares, f1: Shares, support: npt.NDArray[np.int64]
) -> tuple[Average, ...]:
    """Over classes alike, and over classes by their pictures; intervals by the board's methods where it has one."""
    present, nothing = support > 0, (float("nan"), float("nan"))
    weights = support / max(int(support.sum()), 1)
    if not present.any():
        return ()
    # A class that is never guessed has no precision of its own, but adds 0 to the mean, as its F1 does.
    precisions = np.nan_to_num(precision.value)
    outcomes = _outcomes(predictions)
    macro = Average(
        AVERAGES[0],
        (float(precisions[present].mean()), *nothing),
        _estimated(outcomes, "balanced_accuracy"),
        _estimated(outcomes, "macro_f1"),
    )
    weighted = Average(
        AVERAGES[1],
        (float(weights[present] @ precisions[present]), *nothing),
        _estimated(outcomes, "accuracy"),
        (float(weights[present] @ f1.value[present]), *nothing),
    )
    return macro, weighted


def _outcomes(predictions: Predictions) -> Outcomes:
    codes = np.unique(predictions.groups, return_inverse=True)[1].astype(np.int64)
    count = len(predictions.classes)
    answers: Answers = answers_from_probabilities("one", predictions.probabilities[None], predictions.truth, count)
    return Outcomes(predictions.truth, codes, count, (answers,))


def _estimated(outcomes: Outcomes, metric: str) -> tuple[float, float, float]:
    found = estimate(outcomes, metric)  # type: ignore[arg-type]
    return float(found.score[0]), float(found.low[0]), float(found.high[0])


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"
