"""Swap draws: what the differences would look like if each image's answers could have been anybody's.

Two candidates that are equally good have exchangeable answers, so swapping them on a random half of the groups
gives one draw from the null distribution of their difference (a paired permutation test; with one seed and
accuracy it is McNemar's exact test). All pairs share the same swaps, so the maximum over pairs keeps their
dependence (max-T, Westfall and Young 1993). Training seeds enter as one normal draw per candidate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.contrasts import Contrasts
from benchmark.statistics.counts import MacroF1Swaps
from benchmark.statistics.draws import MOST_NUMBERS, AllDraws, Draws, LargeDraws
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
    draws: the same statistic after the swaps.
    exact: whether the draws are all possible swaps instead of a sample.
    """

    lead: Floats
    standard_error: Floats
    statistic: Floats
    draws: Draws
    exact: bool


class Sampling(NamedTuple):
    """How many swaps are drawn, and the seed of their generator (PCG64)."""

    draws: int
    seed: int


class _Block(NamedTuple):
    """Swapped differences of some draws, [b, Q], and those of the linear form for a metric that is not linear."""

    rows: slice
    leads: Floats
    linear: Floats | None


class _SeedNoise(NamedTuple):
    """What training seeds add to scores and to their variance in each draw, both [B, K]."""

    shifts: Floats
    squares: Floats


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

    When no training seed varies and all swaps number at most `sampling.draws`, they are enumerated. Draws that do
    not fit into memory are made once for macro-F1's variance and once more for the statistics.
    """
    generator = np.random.Generator(np.random.PCG64(sampling.seed))
    counted = MacroF1Swaps(outcomes) if metric == "macro_f1" else None
    disagreed = counted.disagreed if counted else np.ptp(parts.group_values, axis=0) > 0
    linear = LinearSwaps(parts.group_values, disagreed)
    exact = not parts.seed.any() and linear.groups < sampling.draws.bit_length()
    patterns = _every_pattern(linear.groups) if exact else _random_patterns(generator, linear.groups, sampling.draws)
    noise = _seed_noise(parts, generator, len(patterns))
    swapped = partial(_swapped_leads, linear, counted, contrasts, patterns)
    fits = len(patterns) * contrasts.count <= MOST_NUMBERS
    held = list(swapped()) if fits else None
    image = contrasts.square_norms(linear.values)
    if counted:
        image = _controlled_variance(held or swapped(), image)
    # Rows that are equal on paper, such as one recipe with its seeds in another order, differ in their last bits.
    image[image <= (_NOISE * np.abs(parts.group_values).max()) ** 2] = 0
    error = np.sqrt(image + contrasts.of_squares(parts.seed[None])[0])
    lead = contrasts.of_rows(parts.score[None])[0]
    # Among such rows alone nothing that is drawn differs, and the last bits of a lead would be beyond all of it.
    lead[np.abs(lead) <= _NOISE * np.abs(parts.score).max()] = 0
    studentised = (_studentised(block, image, noise, contrasts) for block in held or swapped())
    draws = AllDraws(studentised) if fits else LargeDraws(studentised, len(patterns))
    statistic = np.divide(lead, error, out=np.zeros_like(lead), where=error > 0)
    return SwapDraws(lead, error, statistic, draws, exact)


def _swapped_leads(
    linear: LinearSwaps, counted: MacroF1Swaps | None, contrasts: Contrasts, patterns: NDArray[np.uint8]
) -> Iterator[_Block]:
    """The contrasts after the swaps of each pattern, in blocks small enough to stay in the cache."""
    swaps = counted or linear
    for rows in _blocks(len(patterns), max(swaps.width, linear.width, contrasts.count)):
        swapped = np.unpackbits(patterns[rows], axis=1, count=linear.groups).astype(np.float64)
        approximate = linear.leads(swapped, contrasts) if counted else None
        yield _Block(rows, np.ascontiguousarray(swaps.leads(swapped, contrasts)), approximate)


def _controlled_variance(blocks: Iterable[_Block], known: Floats) -> Floats:
    """Mean square of the swapped differences [Q], with the linear form as a control variate.

    It is corrected by how far the draws of the linear form miss its known variance: a fifth of the noise is left.
    """
    square, linear_square, draws = np.zeros_like(known), np.zeros_like(known), 0
    for block in blocks:
        assert block.linear is not None
        square += np.einsum("bq,bq->q", block.leads, block.leads)
        linear_square += np.einsum("bq,bq->q", block.linear, block.linear)
        draws += len(block.leads)
    return np.divide(square * known, linear_square, out=square / draws, where=linear_square > 0)


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


def _seed_noise(parts: VarianceParts, generator: np.random.Generator, draws: int) -> _SeedNoise | None:
    """The draws of training seeds; None where no seed varies."""
    if not parts.seed.any():
        return None
    shape = (draws, parts.seed.size)
    shifts = generator.standard_normal(shape) * np.sqrt(parts.seed)
    df = np.where(parts.seed > 0, parts.df, 1.0)
    return _SeedNoise(shifts, generator.chisquare(df, shape) * (parts.seed / df))


def _studentised(block: _Block, image: Floats, noise: _SeedNoise | None, contrasts: Contrasts) -> Floats:
    """The block's differences divided by their standard error, in place, after adding the draw of training seeds."""
    leads, variance = block.leads, image
    if noise:
        leads += contrasts.of_rows(noise.shifts[block.rows])
        variance = image + contrasts.of_squares(noise.squares[block.rows])
    root = np.broadcast_to(np.sqrt(variance), leads.shape)
    # Sides that answered alike can never be told apart; their seed noise is one and the same, and drawing it
    # apart, over a standard error of nothing else, would raise the critical value of all other pairs.
    known = (root > 0) & (image > 0)
    np.divide(leads, root, out=leads, where=known)
    leads[~known] = 0
    return leads


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
