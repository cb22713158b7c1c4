"""Calibration error with an interval that covers although the estimate itself is biased upwards."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmark.metrics import ece
from benchmark.predictions import Predictions

_BINS = 15
_DRAWS = 1000
_SEED = 0


class CalibrationError(NamedTuple):
    """Expected calibration error of one candidate's seeds, before the seeds' spread is known."""

    scores: npt.NDArray[np.float64]
    """S errors, 0..1."""
    reach: float
    """How far the mean of `scores` may be off because of the images alone, 95 %."""


class CalibrationInterval(NamedTuple):
    """Mean error over seeds, 0..1, and its 95 % interval."""

    score: float
    low: float
    high: float


def calibration_error(seeds: Sequence[Predictions]) -> CalibrationError:
    """Calibration errors of several seeds on the same images.

    The estimate is a sum of absolute values, so noise can only add to it and a bootstrap interval misses. Here the
    triangle inequality serves: | |g| - |g true| | <= |g - g true| for the vector g of the bins' gaps, whose error is
    drawn from its covariance between groups of images (G / (G - 1) corrected). Conservative: covers at least 95 %.
    """
    scores = np.array([ece(one) for one in seeds])
    gaps = np.hstack([_gaps_by_group(one) for one in seeds])
    count = len(gaps)
    if count < 2:
        return CalibrationError(scores, 1.0)
    used = gaps[:, np.ptp(gaps, axis=0) > 0]
    if not used.shape[1]:
        return CalibrationError(scores, 0.0)
    errors = _draws(used * np.sqrt(count / (count - 1)))
    return CalibrationError(scores, float(np.quantile(np.abs(errors).sum(axis=1) / len(seeds), 0.95)))


def calibration_intervals(
    errors: Sequence[CalibrationError], families: Sequence[Hashable]
) -> tuple[CalibrationInterval, ...]:
    """Intervals of candidates whose spread between seeds is pooled within their family."""
    relatives: dict[Hashable, list[npt.NDArray[np.float64]]] = {}
    for error, family in zip(errors, families, strict=True):
        relatives.setdefault(family, []).append(error.scores)
    spreads = {family: _pooled(scores) for family, scores in relatives.items()}
    rows = []
    for error, family in zip(errors, families, strict=True):
        score, half, spread = float(error.scores.mean()), error.reach, spreads[family]
        if error.scores.size > 1:
            of_seeds = stats.t.ppf(0.975, spread.freedom) * np.sqrt(spread.variance / error.scores.size)
            half = float(np.hypot(half, of_seeds))
        rows.append(CalibrationInterval(score, max(0.0, score - half), min(1.0, score + half)))
    return tuple(rows)


class _Spread(NamedTuple):
    """Variance between seeds within candidates, and its degrees of freedom; NaN and 0 for single seeds only."""

    variance: float
    freedom: int


def _pooled(scores: Sequence[npt.NDArray[np.float64]]) -> _Spread:
    """The spread that the candidates of a family share."""
    freedom = sum(one.size - 1 for one in scores)
    if not freedom:
        return _Spread(np.nan, 0)
    return _Spread(sum(float(((one - one.mean()) ** 2).sum()) for one in scores) / freedom, freedom)


def _gaps_by_group(predictions: Predictions) -> npt.NDArray[np.float64]:
    """G x 15: each group's share of the gap between right answers and confidence in each bin of confidence."""
    groups, codes = np.unique(predictions.groups, return_inverse=True)
    bins = np.minimum((predictions.confidence * _BINS).astype(np.int64), _BINS - 1)
    right = (predictions.guess == predictions.truth).astype(np.float64)
    cells = np.bincount(codes * _BINS + bins, weights=right - predictions.confidence, minlength=len(groups) * _BINS)
    return cells.reshape(len(groups), _BINS) / len(predictions.truth)


def _draws(gaps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Draws x columns: normal errors of the column sums of G x columns values of independent groups."""
    generator = np.random.Generator(np.random.PCG64(_SEED))
    centred = gaps - gaps.mean(axis=0)
    if len(centred) <= centred.shape[1]:
        return generator.standard_normal((_DRAWS, len(centred))) @ centred
    covariance = centred.T @ centred
    # Columns may depend on one another, which a Cholesky factor does not bear; this much more variance is invisible.
    covariance[np.diag_indices_from(covariance)] += 1e-10 * covariance.diagonal().max()
    return generator.standard_normal((_DRAWS, len(covariance))) @ np.linalg.cholesky(covariance).T
