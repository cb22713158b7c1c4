"""Swap draws: what the differences would look like if each image's answers could have been anybody's.

Two candidates that are equally good have exchangeable answers, so swapping them on a random half of the groups
gives one draw from the null distribution of their difference (a paired permutation test; with one seed and
accuracy it is McNemar's exact test). All pairs share the same swaps, so the maximum over pairs keeps their
dependence (max-T, Westfall and Young 1993). Training seeds enter as one normal draw per candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.contrasts import Contrasts
from benchmark.statistics.counts import MacroF1Swaps
from benchmark.statistics.outcomes import Floats, Integers, Outcomes
from benchmark.statistics.pseudo_values import Metric
from benchmark.statistics.variance import VarianceParts

LEVEL = 0.05
"""Family-wise error rate of every test and 1 - coverage of every simultaneous interval."""

_BLOCK_NUMBERS = 2**20
_NOISE = 1e-12


class SwapDraws(NamedTuple):
    """Studentised differences of Q contrasts, observed and in B swap draws.

    lead: observed difference, positive when the contrast's positive side is better, [Q].
    standard_error: [Q]; 0 where the two sides answered alike.
    statistic: lead / standard_error, 0 where that is 0, [Q].
    draws: the same statistic after the swaps, [B, Q].
    exact: whether the draws are all possible swaps instead of a sample.
    """

    lead: Floats
    standard_error: Floats
    statistic: Floats
    draws: Floats
    exact: bool


class Sampling(NamedTuple):
    """How many swaps are drawn, and the seed of their generator (PCG64)."""

    draws: int
    seed: int


class _Numerators(NamedTuple):
    leads: Floats
    variance: Floats


class LinearSwaps:
    """Swaps of a metric that is a mean of pseudo-values: the difference only changes its summands' signs.

    group_values: [K, G]; disagreed: bool [G], the groups that are swapped.
    """

    def __init__(self, group_values: Floats, disagreed: NDArray[np.bool_]) -> None:
        self.values = group_values[:, disagreed] / group_values.shape[1]
        self.groups = int(disagreed.sum())
        self.width = len(group_values) + self.groups

    def leads(self, swapped: Floats, contrasts: Contrasts) -> Floats:
        """Differences [b, Q] after swapping where `swapped` [b, groups] is 1."""
        return contrasts.of_rows((1 - 2 * swapped) @ self.values.T)


def default_draws(candidates: int) -> int:
    """Draws that keep a board of any size within seconds: 16000 up to 20 candidates, 4000 up to 60, then 2000."""
    if candidates <= 20:
        return 16_000
    return 4000 if candidates <= 60 else 2000


def swap_draws(
    outcomes: Outcomes, metric: Metric, parts: VarianceParts, contrasts: Contrasts, sampling: Sampling
) -> SwapDraws:
    """Observed and swapped statistics of the contrasts.

    When no training seed varies and all swaps number at most `sampling.draws`, they are enumerated.
    """
    generator = np.random.Generator(np.random.PCG64(sampling.seed))
    counted = MacroF1Swaps(outcomes) if metric == "macro_f1" else None
    disagreed = counted.disagreed if counted else np.ptp(parts.group_values, axis=0) > 0
    linear = LinearSwaps(parts.group_values, disagreed)
    exact = not parts.seed.any() and linear.groups < sampling.draws.bit_length()
    patterns = _every_pattern(linear.groups) if exact else _random_patterns(generator, linear.groups, sampling.draws)
    numerators, image = _numerators(linear, counted, contrasts, patterns)
    # Rows that are equal on paper, such as one recipe with its seeds in another order, differ in their last bits.
    image[image <= (_NOISE * np.abs(parts.group_values).max()) ** 2] = 0
    error = np.sqrt(image + contrasts.of_squares(parts.seed[None])[0])
    lead = contrasts.of_rows(parts.score[None])[0]
    _studentise(numerators, image, parts, contrasts, generator)
    statistic = np.divide(lead, error, out=np.zeros_like(lead), where=error > 0)
    return SwapDraws(lead, error, statistic, numerators, exact)


def _numerators(
    linear: LinearSwaps, counted: MacroF1Swaps | None, contrasts: Contrasts, patterns: NDArray[np.uint8]
) -> _Numerators:
    """Swapped differences [B, Q] and their variance over all swaps [Q], which for a linear metric is known exactly.

    For macro-F1 the mean square of the draws is corrected by how far the draws of the linear form (a control
    variate) miss its known variance: a fifth of the noise is left.
    """
    swaps = counted or linear
    swapped_leads = np.empty((len(patterns), contrasts.count))
    square, linear_square = np.zeros(contrasts.count), np.zeros(contrasts.count)
    for rows in _blocks(len(patterns), max(swaps.width, linear.width, contrasts.count)):
        swapped = np.unpackbits(patterns[rows], axis=1, count=linear.groups).astype(np.float64)
        swapped_leads[rows] = swaps.leads(swapped, contrasts)
        if counted:
            square += np.einsum("bq,bq->q", swapped_leads[rows], swapped_leads[rows])
            approximate = linear.leads(swapped, contrasts)
            linear_square += np.einsum("bq,bq->q", approximate, approximate)
    variance = contrasts.square_norms(linear.values)
    if counted:
        known = linear_square > 0
        variance = np.divide(square * variance, linear_square, out=square / len(patterns), where=known)
    return _Numerators(swapped_leads, variance)


def critical_value(maxima: Floats, draws: SwapDraws) -> float:
    """The value that the largest statistic of a null board exceeds with probability at most LEVEL.

    maxima: largest statistic of each draw, [B]. Sampled draws count the observed board as one more of them
    (Phipson and Smyth 2010), so that a p-value is at most LEVEL exactly when its statistic is above this value.
    """
    size = maxima.size
    above = int(LEVEL * size * (1 + _NOISE)) if draws.exact else int(LEVEL * (size + 1) * (1 + _NOISE)) - 1
    if above < 0:
        return np.inf
    value = float(np.partition(maxima, size - 1 - above)[size - 1 - above])
    # Statistics that are equal on paper differ in their last bits.
    return value * (1 + 1e-9)


def p_value(statistic: float, maxima: Floats, draws: SwapDraws) -> float:
    """Share of draws whose largest statistic is at least `statistic`."""
    reached = int(np.sum(maxima >= statistic * (1 - 1e-9)))
    return reached / maxima.size if draws.exact else (reached + 1) / (maxima.size + 1)


def _studentise(
    numerators: Floats, image: Floats, parts: VarianceParts, contrasts: Contrasts, generator: np.random.Generator
) -> None:
    """Divides by the standard error, in place, after adding the draw of training seeds where there are any."""
    shape = (len(numerators), parts.seed.size)
    if parts.seed.any():
        shifts = generator.standard_normal(shape) * np.sqrt(parts.seed)
        df = np.where(parts.seed > 0, parts.df, 1.0)
        squares = generator.chisquare(df, shape) * (parts.seed / df)
    for rows in _blocks(len(numerators), contrasts.count):
        variance = np.broadcast_to(image, numerators[rows].shape)
        if parts.seed.any():
            numerators[rows] += contrasts.of_rows(shifts[rows])
            variance = variance + contrasts.of_squares(squares[rows])
        root = np.sqrt(variance)
        # Sides that answered alike can never be told apart; their seed noise is one and the same, and drawing it
        # apart, over a standard error of nothing else, would raise the critical value of all other pairs.
        known = (root > 0) & (image > 0)
        numerators[rows] = np.divide(numerators[rows], root, out=np.zeros_like(root), where=known)


def _blocks(rows: int, width: int) -> Iterator[slice]:
    """Slices of rows small enough to stay in the cache and within memory."""
    step = max(1, _BLOCK_NUMBERS // max(width, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _every_pattern(groups: int) -> NDArray[np.uint8]:
    numbers: Integers = np.arange(2**groups)
    return np.packbits((numbers[:, None] >> np.arange(groups)) & 1, axis=1)


def _random_patterns(generator: np.random.Generator, groups: int, draws: int) -> NDArray[np.uint8]:
    width = -(-groups // 8)
    return generator.integers(0, 256, (draws, width), dtype=np.uint8)
