"""Power: which differences this test set could have shown, and how many images a smaller one needs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmark.statistics.outcomes import Outcomes
from benchmark.statistics.ranks import Comparison

POWER = 0.8
"""Probability with which a separable gap is found."""

_NOTHING = 1e-9
"""A critical value below this is what rounding leaves of none."""
_POWER_QUANTILE = float(stats.norm.ppf(POWER))


class PairVariance(NamedTuple):
    """Variance of a difference of two candidates and what the planned number of images and seeds would change.

    image: from the images, for these weights; seed: from the training seeds; image_seed: the part of `image`
    that comes from image x seed interaction and shrinks with more seeds (0 for one seed, where it is unknown).
    images, seeds: how many gave these variances.
    """

    image: float
    seed: float
    image_seed: float
    images: int
    seeds: int


class PowerHint(NamedTuple):
    """separable_gap: smallest true difference found with probability .8 as things are.

    images_needed: seeds -> images that separate the gap asked for; infinite where no number of images does.
    """

    separable_gap: float
    images_needed: dict[int, float]


def power_hint(
    variance: PairVariance, critical_value: float, gap: float, seeds: tuple[int, ...] = (1, 2, 3, 5, 10)
) -> PowerHint:
    """What two candidates would need to be told apart by `gap` > 0 at the board's critical value."""
    reach = critical_value + _POWER_QUANTILE
    images = variance.images * max(variance.image - variance.image_seed, 0.0)
    seed = variance.seeds * variance.seed
    both = variance.images * variance.seeds * variance.image_seed
    needed = {}
    for count in seeds:
        room = (gap / reach) ** 2 - seed / count
        needed[count] = (images + both / count) / room if room > 0 else np.inf
    return PowerHint(reach * float(np.sqrt(variance.image + variance.seed)), needed)


def pair_variance(outcomes: Outcomes, comparison: Comparison, first: int, second: int) -> PairVariance:
    """Variance parts of the difference of two rows of a comparison.

    Rows with different numbers of seeds are treated as having their harmonic mean, rounded.
    """
    pair = [first, second]
    estimates = comparison.estimates
    seed = float(estimates.seed_variance[pair].sum())
    image = max(float(comparison.standard_error[first, second]) ** 2 - seed, 0.0)
    interaction = np.nan_to_num(estimates.image_seed_variance[pair]) / estimates.seeds[pair]
    seeds = round(float(stats.hmean(estimates.seeds[pair])))
    return PairVariance(image, seed, min(float(interaction.sum()), image), outcomes.images, seeds)


def separable_gap(comparison: Comparison) -> float:
    """Smallest difference this board finds with probability .8 between two typical rows; NaN for one row.

    Typical is the median standard error over the pairs that do not answer alike; NaN, too, where all do: then nothing
    that is drawn anew differs, and the critical value is 0 however much the seeds of each row vary.
    """
    upper = comparison.standard_error[np.triu_indices(len(comparison.standard_error), 1)]
    upper = upper[upper > 0]
    if not upper.size or comparison.critical_value < _NOTHING:
        return np.nan
    return (comparison.critical_value + _POWER_QUANTILE) * float(np.median(upper))
