"""Scores with 95 % intervals that cover when classes are rare, scores near 1 and seeds few."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmark.statistics.outcomes import PROBABILITY_FLOOR, Floats, Integers, Outcomes
from benchmark.statistics.pseudo_values import Metric, class_counts
from benchmark.statistics.variance import VarianceParts, variance_parts


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


class Band(NamedTuple):
    """Lower and upper ends of several intervals."""

    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Estimates:
    """Scores of K candidates in the caller's order, as shown: log loss is positive.

    score: mean over seeds, [K]; seed_scores: K arrays [S_k].
    low, high: 95 % interval of `score`; of the recipe with two or more seeds, of these weights with one.
    seeds: training seeds, int [K]; seed_sd: their standard deviation (ddof 1), NaN for one seed.
    image_sd: square root of `image_variance`.
    image_variance, image_seed_variance, seed_excess, seed_variance, seed_df: see `VarianceParts`.
    """

    score: Floats
    seed_scores: tuple[Floats, ...]
    low: Floats
    high: Floats
    seeds: Integers
    seed_sd: Floats
    image_sd: Floats
    image_variance: Floats
    image_seed_variance: Floats
    seed_excess: Floats
    seed_variance: Floats
    seed_df: Floats


def estimate(outcomes: Outcomes, metric: Metric) -> Estimates:
    """Score, interval and variance parts of every candidate.

    One group: nothing says how another sample would differ, so the interval is everything possible (0..1, or
    0..36.04 for log loss). A score of exactly 0 or 1 keeps a Wilson interval; a log loss of exactly 0 is
    bounded by 36.04 times the Wilson bound of a share of 0.

    Raises UnknownMetric.
    """
    return estimates_of(outcomes, metric, variance_parts(outcomes, metric))


def estimates_of(outcomes: Outcomes, metric: Metric, parts: VarianceParts) -> Estimates:
    """`estimate` for variance parts that are already there."""
    sign = -1.0 if metric == "log_loss" else 1.0
    ends = [_interval(outcomes, metric, parts, k) for k in range(parts.score.size)]
    seed_scores = tuple(sign * scores + 0.0 for scores in parts.seed_scores)
    return Estimates(
        score=sign * parts.score + 0.0,
        seed_scores=seed_scores,
        low=np.array([interval.low for interval in ends]),
        high=np.array([interval.high for interval in ends]),
        seeds=np.array([scores.size for scores in seed_scores]),
        seed_sd=np.array([s.std(ddof=1) if s.size > 1 else np.nan for s in seed_scores]),
        image_sd=np.sqrt(parts.image),
        image_variance=parts.image,
        image_seed_variance=parts.image_seed,
        seed_excess=parts.seed_excess,
        seed_variance=parts.seed,
        seed_df=parts.df,
    )


def wilson(share: Floats | float, count: Floats | float, quantile: float) -> Band:
    """Wilson score interval (Wilson 1927) of shares 0..1 among `count` units, for a normal or t quantile."""
    if np.isinf(quantile):
        return Band(np.zeros_like(share, np.float64), np.ones_like(share, np.float64))
    share, square = np.asarray(share, np.float64), quantile**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = share * (1 - share) / count + square / (4 * count**2)
    half = quantile / (1 + square / count) * np.sqrt(np.maximum(spread, 0))
    return Band(np.maximum(middle - half, 0), np.minimum(middle + half, 1))


def _interval(outcomes: Outcomes, metric: Metric, parts: VarianceParts, k: int) -> Interval:
    quantile = _quantile(parts, k, outcomes.group_count)
    if metric == "log_loss":
        return _log_loss_interval(outcomes, parts, k, quantile)
    if metric == "accuracy":
        return _accuracy_interval(outcomes, parts, k, quantile)
    return _class_mean_interval(outcomes, metric, parts, k, quantile)


def _quantile(parts: VarianceParts, k: int, groups: int) -> float:
    """Two-sided 95 % t quantile at Satterthwaite's (1946) degrees of freedom; infinite for one group."""
    if groups < 2:
        return np.inf
    image, seed = parts.image[k], parts.seed[k]
    scatter = image**2 / (groups - 1) + (seed**2 / parts.df[k] if seed > 0 else 0.0)
    # The squares of tiny variances underflow to 0, and so would the degrees of freedom.
    freedom = (image + seed) ** 2 / scatter if scatter > 0 else groups - 1
    return float(stats.t.ppf(0.975, freedom))


def _accuracy_interval(outcomes: Outcomes, parts: VarianceParts, k: int, quantile: float) -> Interval:
    mean, variance = parts.score[k], parts.image[k] + parts.seed[k]
    if variance == 0 or mean in (0.0, 1.0):
        effective = float(outcomes.group_count)
    else:
        most = outcomes.images * parts.seed_scores[k].size
        effective = min(max(mean * (1 - mean) / variance, 2), most)
    band = wilson(mean, effective, quantile)
    return Interval(float(band.low), float(band.high))


def _class_mean_interval(outcomes: Outcomes, metric: Metric, parts: VarianceParts, k: int, quantile: float) -> Interval:
    """Interval of a mean over classes from one Wilson interval per class (MOVER, Zou and Donner 2008)."""
    if np.isinf(quantile):
        return Interval(0.0, 1.0)
    counts = class_counts(outcomes, outcomes.candidates[k])
    right, predicted = counts.right.mean(axis=0), counts.predicted.mean(axis=0)
    f1 = metric == "macro_f1"
    union = outcomes.class_sizes + predicted - right if f1 else outcomes.class_sizes.astype(np.float64)
    share = right / union
    band = wilson(share, np.maximum(union * outcomes.group_count / outcomes.images, 1), quantile)
    middle, low, high = ((2 * x / (1 + x) if f1 else x) for x in (share, *band))
    mean, square = parts.score[k], quantile**2
    below = max(np.sum((middle - low) ** 2) / share.size**2, square * parts.image[k])
    above = max(np.sum((high - middle) ** 2) / share.size**2, square * parts.image[k])
    seed = square * parts.seed[k]
    return Interval(
        max(float(mean - np.sqrt(below + seed)), 0.0),
        min(float(mean + np.sqrt(above + seed)), 1.0),
    )


def _log_loss_interval(outcomes: Outcomes, parts: VarianceParts, k: int, quantile: float) -> Interval:
    """t interval on the logarithm of the loss, which is positive and skewed."""
    most, loss = -log(PROBABILITY_FLOOR), float(-parts.score[k])
    if np.isinf(quantile):
        return Interval(0.0, most)
    if loss <= 0:
        empty = wilson(0.0, outcomes.group_count, quantile)
        return Interval(0.0, most * float(empty.high))
    reach = quantile * float(np.sqrt(parts.image[k] + parts.seed[k])) / loss
    return Interval(loss * float(np.exp(-reach)), min(loss * float(np.exp(min(reach, 700.0))), most))
