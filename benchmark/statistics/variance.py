"""Where a score's uncertainty comes from: the images, the training seeds, and the two together."""

from __future__ import annotations

from math import fsum
from typing import NamedTuple

import numpy as np

from benchmark.statistics.outcomes import Floats, Integers, Outcomes
from benchmark.statistics.pseudo_values import Metric, pseudo_values


class VarianceParts(NamedTuple):
    """Scores and variance parts of K candidates from a crossed image x seed analysis of variance.

    score: mean over seeds, higher is better (log loss is negative here), [K].
    seed_scores: score of each seed, K arrays [S_k].
    image: variance of `score` from the draw of images, for these weights, [K].
    image_seed: variance of one seed's score from image x seed interaction, [K]; NaN for one seed.
    seed_excess: variance between seeds beyond that interaction, may be negative, [K]; NaN for one seed.
    seed: variance of `score` from the draw of training seeds, [K]; 0 for one seed, whose order therefore
        speaks of these weights and not of the recipe.
    df: degrees of freedom of `seed`, [K]; NaN for one seed.
    group_values: pseudo-values averaged over seeds and summed by group, scaled so that their mean is the
        score, [K, G].
    """

    score: Floats
    seed_scores: tuple[Floats, ...]
    image: Floats
    image_seed: Floats
    seed_excess: Floats
    seed: Floats
    df: Floats
    group_values: Floats

    def reordered(self, order: Integers) -> VarianceParts:
        """The same parts with the candidates in another order."""
        return VarianceParts(
            self.score[order],
            tuple(self.seed_scores[k] for k in order),
            self.image[order],
            self.image_seed[order],
            self.seed_excess[order],
            self.seed[order],
            self.df[order],
            self.group_values[order],
        )


class _SeedParts(NamedTuple):
    seed: Floats
    df: Floats


def variance_parts(outcomes: Outcomes, metric: Metric) -> VarianceParts:
    """Variance parts of every candidate.

    Raises UnknownMetric.
    """
    count = len(outcomes.candidates)
    image, image_seed, between = (np.full(count, np.nan) for _ in range(3))
    group_values = np.empty((count, outcomes.group_count))
    seed_scores = []
    for k, answers in enumerate(outcomes.candidates):
        values = pseudo_values(outcomes, answers, metric)
        seed_scores.append(values.mean(axis=1))
        group_values[k] = outcomes.group_sums(values.mean(axis=0)) * (outcomes.group_count / outcomes.images)
        errors = outcomes.group_sums(_centred(outcomes, values, metric)) / outcomes.images
        centre = errors.mean(axis=0)
        image[k] = np.sum(centre**2)
        if answers.seeds > 1:
            image_seed[k] = np.sum((errors - centre) ** 2) / (answers.seeds - 1)
            between[k] = seed_scores[k].var(ddof=1)
    excess = between - image_seed
    seed = _seed_parts(outcomes, excess, between)
    score = np.array([fsum(scores) / scores.size for scores in seed_scores])
    return VarianceParts(score, tuple(seed_scores), image, image_seed, excess, seed.seed, seed.df, group_values)


def canonical_order(outcomes: Outcomes, parts: VarianceParts) -> Integers:
    """Positions that sort the candidates by content, so that draws do not depend on the order they came in."""
    df = np.nan_to_num(parts.df)
    keys = [(a.digest, parts.seed[k], df[k]) for k, a in enumerate(outcomes.candidates)]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__))


def _centred(outcomes: Outcomes, values: Floats, metric: Metric) -> Floats:
    """Residuals [S, N] whose squared group sums estimate variance without bias.

    Classes are strata. A class of one image has no spread of its own: such classes are centred together
    (collapsed strata, Cochran 1977, section 5A.12); a single such class adds nothing.
    """
    if metric == "log_loss":
        groups = outcomes.group_count
        return (values - values.mean(axis=1, keepdims=True)) * np.sqrt(groups / max(groups - 1, 1))
    sizes, strata = outcomes.class_sizes, outcomes.truth_codes
    lone = np.flatnonzero(sizes == 1)
    if lone.size:
        strata = np.where(np.isin(strata, lone), lone[0], strata)
        sizes = np.bincount(strata, minlength=sizes.size)
    filled = np.maximum(sizes, 1)
    means = np.array([np.bincount(strata, row, sizes.size) for row in values]) / filled
    inflation = np.sqrt(filled / np.maximum(filled - 1, 1))
    return (values - means[:, strata]) * inflation[strata]


def _seed_parts(outcomes: Outcomes, excess: Floats, between: Floats) -> _SeedParts:
    """Seed variance of each mean score, raised to its family's average, and its degrees of freedom.

    The degrees of freedom of the pooled variance follow Satterthwaite (1946). Sums are exact (fsum), so that
    the order of the candidates cannot change a bit.
    """
    seeds = np.array([answers.seeds for answers in outcomes.candidates])
    seed, df = np.zeros(seeds.size), np.full(seeds.size, np.nan)
    for members in _families(outcomes, seeds):
        pooled = max(0.0, fsum(excess[members]) / members.size)
        average = fsum(between[members]) / members.size
        share = pooled / average if average > 0 else 0.0
        seed[members] = np.maximum(excess[members], pooled) / seeds[members]
        df[members] = np.maximum(seeds[members] - 1, (seeds[members] - 1).sum() * share**2)
    return _SeedParts(seed, df)


def _families(outcomes: Outcomes, seeds: Integers) -> list[Integers]:
    """Positions of the members of each family that have more than one seed."""
    members: dict[object, list[int]] = {}
    for k, answers in enumerate(outcomes.candidates):
        if seeds[k] > 1:
            members.setdefault(answers.family, []).append(k)
    return [np.array(positions) for positions in members.values()]
