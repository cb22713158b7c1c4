"""Confidence: whether it can be believed, and what remains when a classifier may say "I don't know"."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.predictions import Predictions
from benchmark.statistics.intervals import wilson

Floats = npt.NDArray[np.float64]

TARGETS = (0.9, 0.95, 0.99)
"""Shares of right answers that a threshold is looked for."""

_BINS = 15


class Reliability(NamedTuple):
    """Bins of confidence that hold pictures; each B float64, 0..1."""

    confidence: Floats
    """Mean confidence in the bin."""
    accuracy: Floats
    """Share of right answers."""
    low: Floats
    high: Floats
    """Its 95 % interval (Wilson 1927)."""
    pictures: npt.NDArray[np.int64]


class Coverage(NamedTuple):
    """What is answered, and how well, when only confident answers are given; each T float64, 0..1."""

    threshold: Floats
    coverage: Floats
    """Share of pictures whose confidence is at least the threshold."""
    accuracy: Floats
    """Share of right answers among them; NaN where there are none."""


class Answered(NamedTuple):
    """What a threshold gives on the test."""

    threshold: float
    pictures: int
    """Validation pictures that chose it: those it answers."""
    coverage: float
    accuracy: float
    """NaN when nothing is answered."""


class Threshold(NamedTuple):
    """The lowest confidence that reaches a target on validation."""

    target: float
    needed: int
    """Validation pictures that must be answered for the target to mean something."""
    found: Answered | None
    """None where no threshold reaches the target with so many pictures."""


def reliability(predictions: Predictions) -> Reliability:
    """Right answers against confidence in 15 equal bins, those of the expected calibration error."""
    bins = np.minimum((predictions.confidence * _BINS).astype(np.int64), _BINS - 1)
    size = np.bincount(bins, minlength=_BINS)
    held = size > 0
    confidence = np.bincount(bins, predictions.confidence, _BINS)[held] / size[held]
    accuracy = np.bincount(bins, predictions.guess == predictions.truth, _BINS)[held] / size[held]
    independent = len(np.unique(predictions.groups)) / max(len(predictions.groups), 1)
    band = wilson(accuracy, np.maximum(size[held] * independent, 1), float(stats.norm.ppf(0.975)))
    return Reliability(confidence, accuracy, band.low, band.high, size[held])


def coverage(predictions: Predictions) -> Coverage:
    """Coverage and accuracy at 101 thresholds from 0 to 1."""
    thresholds = np.linspace(0, 1, 101)
    found = [_at(predictions, threshold) for threshold in thresholds.tolist()]
    return Coverage(thresholds, np.array([one[0] for one in found]), np.array([one[1] for one in found]))


def thresholds(validation: Predictions, test: Predictions) -> tuple[Threshold, ...]:
    """For each target the threshold that reaches it on validation.

    So many validation pictures must be answered that with one of them wrong the target would still be reached, 1 in
    10 for .9: a few lucky ones choose no threshold.
    """
    order = np.argsort(-validation.confidence, kind="stable")
    confidence = validation.confidence[order]
    right = np.cumsum((validation.guess == validation.truth)[order]) / np.arange(1, len(order) + 1)
    # Equal confidences are answered together.
    last = np.append(np.diff(confidence) != 0, True) if len(order) else np.zeros(0, np.bool_)
    found = []
    for target in TARGETS:
        needed = math.ceil(1 / (1 - target) - 1e-9)
        reached = np.flatnonzero((right >= target) & last)
        answered = int(reached[-1]) + 1 if reached.size else 0
        chosen = None
        if answered >= needed:
            threshold = float(confidence[answered - 1])
            chosen = Answered(threshold, answered, *_at(test, threshold))
        found.append(Threshold(target, needed, chosen))
    return tuple(found)


def _at(predictions: Predictions, threshold: float) -> tuple[float, float]:
    """Coverage and accuracy at this threshold."""
    answered = predictions.confidence >= threshold
    if not answered.any():
        return 0.0, float("nan")
    return float(answered.mean()), float((predictions.guess == predictions.truth)[answered].mean())
