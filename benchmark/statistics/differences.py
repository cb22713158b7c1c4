"""Chosen differences: two candidates, or effects such as a mean over backbones, with simultaneous intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from benchmark.statistics.contrasts import InvalidContrasts, WeightedContrasts
from benchmark.statistics.outcomes import Floats, Outcomes
from benchmark.statistics.pseudo_values import Metric
from benchmark.statistics.swaps import Sampling, critical_value, default_draws, p_value, swap_draws
from benchmark.statistics.variance import canonical_order, variance_parts


@dataclass(frozen=True, eq=False)
class ContrastIntervals:
    """Q contrasts, positive when the side with positive weights is better, whatever the metric.

    difference, standard_error, statistic: [Q], each statistic is difference / standard_error (0 where that is 0).
    low, high: simultaneous 95 % intervals, [Q].
    p_value: adjusted for all Q (max-T), [Q]; at most .05 exactly when the interval leaves out 0.
    critical_value: what the largest statistic exceeds in 5 % of worlds without any effect.
    """

    difference: Floats
    standard_error: Floats
    statistic: Floats
    low: Floats
    high: Floats
    p_value: Floats
    critical_value: float


class PairedTest(NamedTuple):
    """Difference of two candidates on the same images, positive when the first is better; 95 % interval."""

    difference: float
    low: float
    high: float
    standard_error: float
    statistic: float
    p_value: float


def contrast_intervals(
    outcomes: Outcomes, metric: Metric, weights: ArrayLike, *, seed: int, draws: int | None = None
) -> ContrastIntervals:
    """Simultaneous intervals of weighted sums of candidates.

    weights: [Q, K], each row sums to 0. The mean over backbones of (balanced - none) has 1/n at every balanced
    candidate and -1/n at every other.
    draws: as many as `default_draws` says unless given.

    The null behind a contrast: on each group of images its pseudo-value (its positive side minus its negative
    side) is as likely to have one sign as the other, independently of the other groups. If the sides match, as
    balanced and none within each backbone, that is what exchangeable labels imply: the factor changes nothing on
    any image, and the swap exchanges the labels in all backbones at once (an exact permutation null). For other
    weights it is a Rademacher wild bootstrap (Wu 1986; Liu 1988), right to the first order for an average
    difference of 0. Only swaps common to all contrasts are drawn, so their dependence is kept. For macro-F1 the
    candidates of the two sides are swapped pair by pair and the changes averaged.
    With two or more seeds the claim is about recipes; with one, about these weights.

    Raises UnknownMetric, or InvalidContrasts when a row does not sum to 0.
    """
    asked = WeightedContrasts(weights, len(outcomes.candidates))
    parts = variance_parts(outcomes, metric)
    order = canonical_order(outcomes, parts)
    contrasts = WeightedContrasts(asked.weights[:, order], order.size)
    sampling = Sampling(draws or default_draws(order.size), seed)
    swaps = swap_draws(outcomes.reordered(order), metric, parts.reordered(order), contrasts, sampling)
    every = np.ones(contrasts.count, dtype=np.bool_)
    maxima = swaps.draws.maxima(every, every)
    critical = critical_value(maxima, swaps)
    reach = critical * swaps.standard_error
    return ContrastIntervals(
        difference=swaps.lead,
        standard_error=swaps.standard_error,
        statistic=swaps.statistic,
        low=swaps.lead - reach,
        high=swaps.lead + reach,
        p_value=np.array([p_value(abs(value), maxima, swaps) for value in swaps.statistic]),
        critical_value=critical,
    )


def paired_test(outcomes: Outcomes, metric: Metric, *, seed: int, draws: int | None = None) -> PairedTest:
    """Swap test of the first of two candidates against the second; with accuracy and one seed, McNemar's test.

    Exact when no training seed varies and the candidates differ on few groups (up to 13 at the default draws).

    Raises UnknownMetric, or InvalidContrasts unless there are two candidates.
    """
    if len(outcomes.candidates) != 2:
        raise InvalidContrasts(f"found {len(outcomes.candidates)} candidates, expected 2; choose the two to compare")
    result = contrast_intervals(outcomes, metric, [[1, -1]], seed=seed, draws=draws)
    columns = (result.difference, result.low, result.high, result.standard_error, result.statistic, result.p_value)
    return PairedTest(*(float(column[0]) for column in columns))
