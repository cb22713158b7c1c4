"""Comparison of all candidates: which differences are real, which ranks are possible, who is tied for first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.statistics.contrasts import Pairs
from benchmark.statistics.draws import Booleans
from benchmark.statistics.intervals import Estimates, estimates_of
from benchmark.statistics.outcomes import Floats, Integers, Outcomes
from benchmark.statistics.pseudo_values import Metric
from benchmark.statistics.swaps import Sampling, SwapDraws, critical_value, default_draws, swap_draws
from benchmark.statistics.variance import canonical_order, variance_parts


@dataclass(frozen=True, eq=False)
class Comparison:
    """Everything a leaderboard says about K candidates, in the caller's order.

    estimates: scores and their intervals.
    lead: how much better row j is than row k, positive when better whatever the metric, [K, K].
    standard_error: of `lead`, 0 for rows that answered alike, [K, K].
    statistic: lead / standard_error, 0 where that is 0, [K, K].
    critical_value: what the largest statistic of a board of equals exceeds in 5 % of boards; NaN for one candidate.
    surely_better: whether row j is better than row k, all such claims right in 95 % of boards, bool [K, K].
    rank_low, rank_high: first and last possible rank, simultaneous 95 %, int [K].
    tied_with_best: rows that may be the best; all truly best ones are among them in 95 % of boards, bool [K].
    gap_low, gap_high: simultaneous 95 % interval of the distance to the best, [K]; at least 0, and at most 1 unless
        the metric is log loss.
    """

    estimates: Estimates
    lead: Floats
    standard_error: Floats
    statistic: Floats
    critical_value: float
    surely_better: Booleans
    rank_low: Integers
    rank_high: Integers
    tied_with_best: Booleans
    gap_low: Floats
    gap_high: Floats


def compare(outcomes: Outcomes, metric: Metric, *, seed: int, draws: int | None = None) -> Comparison:
    """Comparison of all candidates by swap max-T over all pairs.

    seed: of the swap draws; the same seed gives the same numbers, in whatever order the candidates come.
    draws: as many as `default_draws` says unless given.

    Rank intervals follow Mogstad, Romano, Shaikh and Wilhelm (2024), the tied set the Model Confidence Set logic
    of Hansen, Lunde and Nason (2011). One candidate is alone on rank 1. With one or two groups nothing can be
    told apart.

    Raises UnknownMetric.
    """
    parts = variance_parts(outcomes, metric)
    estimates = estimates_of(outcomes, metric, parts)
    count = len(outcomes.candidates)
    if count == 1:
        return _alone(estimates)
    order = canonical_order(outcomes, parts)
    back = np.argsort(order)
    pairs = Pairs(count)
    sampling = Sampling(draws or default_draws(count), seed)
    swaps = swap_draws(outcomes.reordered(order), metric, parts.reordered(order), pairs, sampling)
    every = np.ones(pairs.count, dtype=np.bool_)
    critical = critical_value(swaps.draws.maxima(every, every), swaps)
    statistic = _square(swaps.statistic, pairs, -1)
    callers = np.ix_(back, back)
    better = _step_down(swaps, pairs, statistic)[callers]
    error = _square(swaps.standard_error, pairs, 1)[callers]
    lead = parts.score[:, None] - parts.score[None, :]
    return Comparison(
        estimates=estimates,
        lead=lead,
        standard_error=error,
        statistic=statistic[callers],
        critical_value=critical,
        surely_better=better,
        rank_low=1 + better.sum(axis=0),
        rank_high=count - better.sum(axis=1),
        tied_with_best=_survivors(swaps, pairs, statistic)[back],
        gap_low=np.maximum(0, (lead - critical * error).max(axis=0)),
        gap_high=np.clip((lead + critical * error).max(axis=0), 0, np.inf if metric == "log_loss" else 1),
    )


def _step_down(swaps: SwapDraws, pairs: Pairs, statistic: Floats) -> Booleans:
    """Ordered pairs surely better, [K, K]: the critical value falls as settled pairs leave the family."""
    better = np.zeros(statistic.shape, dtype=np.bool_)
    while True:
        forward = ~better[pairs.first, pairs.second]
        backward = ~better[pairs.second, pairs.first]
        found = ~better & (statistic > critical_value(swaps.draws.maxima(forward, backward), swaps))
        if not found.any():
            return better
        better |= found


def _survivors(swaps: SwapDraws, pairs: Pairs, statistic: Floats) -> Booleans:
    """Rows no survivor surely beats, [K]: the critical value falls as beaten rows leave the family."""
    alive = np.ones(len(statistic), dtype=np.bool_)
    while alive.sum() > 1:
        among = alive[pairs.first] & alive[pairs.second]
        critical = critical_value(swaps.draws.maxima(among, among), swaps)
        beaten = alive & (statistic[alive] > critical).any(axis=0)
        if not beaten.any():
            break
        alive &= ~beaten
    return alive


def _square(values: Floats, pairs: Pairs, sign: int) -> Floats:
    """Matrix [K, K] of values of pairs; the other triangle is the same times `sign`."""
    size = int(pairs.second.max()) + 1
    square = np.zeros((size, size))
    square[pairs.first, pairs.second] = values
    square[pairs.second, pairs.first] = sign * values
    return square


def _alone(estimates: Estimates) -> Comparison:
    zero = np.zeros((1, 1))
    return Comparison(
        estimates=estimates,
        lead=zero,
        standard_error=zero,
        statistic=zero,
        critical_value=np.nan,
        surely_better=np.zeros((1, 1), dtype=np.bool_),
        rank_low=np.ones(1, dtype=np.int64),
        rank_high=np.ones(1, dtype=np.int64),
        tied_with_best=np.ones(1, dtype=np.bool_),
        gap_low=np.zeros(1),
        gap_high=np.zeros(1),
    )
