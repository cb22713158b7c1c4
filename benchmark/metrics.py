"""Metrics: one decorated function each, from Predictions to a number; the direction travels with the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.predictions import Predictions
from benchmark.registry import Registry

SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
"""Probabilities are clipped here before a logarithm, as in the board's statistics and in scikit-learn."""


class UnknownMetric(ValueError):
    """A metric's name that no function carries."""


class Metric(NamedTuple):
    """A named number computed from predictions."""

    name: str
    compute: Callable[[Predictions], float]
    higher_is_better: bool

    def better(self, left: float, right: float) -> bool:
        """Whether `left` is better than `right`; nothing is better than NaN."""
        if np.isnan(left) or np.isnan(right):
            return np.isnan(right) and not np.isnan(left)
        return left > right if self.higher_is_better else left < right


_REGISTRY = Registry[Metric]("metric", UnknownMetric)


def metric(*, higher_is_better: bool) -> Callable[[Callable[[Predictions], float]], Callable[[Predictions], float]]:
    """Register the function as the metric of its own name."""

    def register(compute: Callable[[Predictions], float]) -> Callable[[Predictions], float]:
        _REGISTRY.add(compute.__name__, Metric(compute.__name__, compute, higher_is_better))
        return compute

    return register


def find(name: str) -> Metric:
    """The metric of this name.

    Raises:
        UnknownMetric: there is none.
    """
    return _REGISTRY.find(name)


def names() -> tuple[str, ...]:
    """The names of all metrics."""
    return _REGISTRY.names


def score_all(predictions: Predictions) -> dict[str, float]:
    """Every metric of these predictions, by name."""
    return {name: float(find(name).compute(predictions)) for name in names()}


def confusion(predictions: Predictions) -> npt.NDArray[np.int64]:
    """C x C counts of pictures; rows are the truth, columns the guess."""
    classes = len(predictions.classes)
    cells = predictions.truth * classes + predictions.guess
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def recall_by_class(predictions: Predictions) -> npt.NDArray[np.float64]:
    """C shares of each class's pictures that were recognised, 0..1; NaN for a class without pictures."""
    counts = confusion(predictions)
    support = counts.sum(axis=1)
    right = np.diag(counts).astype(np.float64)
    return np.divide(right, support, out=np.full(len(support), np.nan), where=support > 0)


@metric(higher_is_better=True)
def balanced_accuracy(predictions: Predictions) -> float:
    """Mean recall over the classes present; chance is 1 / C however unequal the classes."""
    return float(np.nanmean(recall_by_class(predictions)))


@metric(higher_is_better=True)
def macro_f1(predictions: Predictions) -> float:
    """Mean F1 over the classes present in the truth; a class that is never guessed counts as 0."""
    counts = confusion(predictions)
    support = counts.sum(axis=1)
    f1 = 2 * np.diag(counts) / np.maximum(support + counts.sum(axis=0), 1)
    return float(f1[support > 0].mean())


@metric(higher_is_better=True)
def accuracy(predictions: Predictions) -> float:
    """Share of pictures whose most probable class is the true one."""
    return float((predictions.guess == predictions.truth).mean())


@metric(higher_is_better=False)
def log_loss(predictions: Predictions) -> float:
    """Mean negative natural logarithm of the probability of the truth, in nats."""
    return float(-np.log(np.clip(predictions.probability_of_truth, SMALLEST_PROBABILITY, 1)).mean())


@metric(higher_is_better=False)
def ece(predictions: Predictions) -> float:
    """Expected calibration error over 15 equal bins of confidence (Guo et al. 2017), 0..1."""
    bins = np.minimum((predictions.confidence * 15).astype(np.int64), 14)
    right = (predictions.guess == predictions.truth).astype(np.float64)
    size = np.bincount(bins, minlength=15)
    gap = np.bincount(bins, weights=right - predictions.confidence, minlength=15)
    return float(np.abs(gap).sum() / max(size.sum(), 1))


@metric(higher_is_better=False)
def brier(predictions: Predictions) -> float:
    """Mean squared distance between the probabilities and the truth as 0 and 1 (Brier 1950), 0..2."""
    truth = np.eye(len(predictions.classes))[predictions.truth]
    return float(((predictions.probabilities - truth) ** 2).sum(axis=1).mean())
