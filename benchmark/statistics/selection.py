"""Honest score: what to expect of the row one picks for being on top."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmark.statistics.counts import group_counts
from benchmark.statistics.outcomes import Floats, Outcomes
from benchmark.statistics.pseudo_values import Metric
from benchmark.statistics.swaps import Sampling, default_draws
from benchmark.statistics.variance import canonical_order, variance_parts

_TIE = 1e-12
_MOST_DRAWS = 4000
_BLOCK_NUMBERS = 2**20


def honest_score(outcomes: Outcomes, metric: Metric, *, seed: int, draws: int | None = None) -> float:
    """Expected score of the winner, free of the luck that made it win (log loss positive).

    Bootstrap bias-corrected score (BBC, Tsamardinos, Greasidou and Borboudakis 2018): groups are drawn with
    replacement, the winner among them (ties shared) is scored on the groups left out. Classes that a part
    lacks do not count in it. One candidate: its own score, since nothing was picked. One group: NaN, since
    nothing can be left out.

    draws: as many as `default_draws` says, but 4000 at most, unless given.

    Raises UnknownMetric.
    """
    parts = variance_parts(outcomes, metric)
    sign = -1.0 if metric == "log_loss" else 1.0
    if parts.score.size == 1:
        return sign * float(parts.score[0])
    ordered = outcomes.reordered(canonical_order(outcomes, parts))
    score = _scorer(ordered, metric)
    rows = sum(answers.seeds for answers in ordered.candidates) * ordered.present_classes.size
    width = max(rows if metric == "macro_f1" else parts.score.size, ordered.group_count)
    total, scored = 0.0, 0
    drawn = Sampling(draws or min(default_draws(parts.score.size), _MOST_DRAWS), seed)
    for bags in _bags(ordered.group_count, drawn, max(1, _BLOCK_NUMBERS // width)):
        inside, outside = score(bags), score((bags == 0).astype(np.float64))
        winners = inside >= inside.max(axis=1, keepdims=True) - _TIE
        total += float(np.sum((outside * winners).sum(axis=1) / winners.sum(axis=1)))
        scored += len(bags)
    return sign * total / scored if scored else np.nan


def _bags(groups: int, sampling: Sampling, step: int) -> Iterator[Floats]:
    """Blocks [b <= step, G] of how often each group was drawn; draws that leave no group out are passed over."""
    generator = np.random.Generator(np.random.PCG64(sampling.seed))
    for start in range(0, sampling.draws, step):
        size = min(step, sampling.draws - start)
        drawn = generator.integers(0, groups, (size, groups)) + np.arange(size)[:, None] * groups
        bags = np.bincount(drawn.ravel(), minlength=size * groups).reshape(size, groups)
        partial = bags[(bags == 0).any(axis=1)]
        if len(partial):
            yield partial.astype(np.float64)


def _scorer(outcomes: Outcomes, metric: Metric) -> Callable[[Floats], Floats]:
    """From group weights [b, G] to scores [b, K]."""
    if metric == "macro_f1":
        return _f1_scorer(outcomes)
    return _recall_scorer(outcomes) if metric == "balanced_accuracy" else _mean_scorer(outcomes, metric)


def _mean_scorer(outcomes: Outcomes, metric: Metric) -> Callable[[Floats], Floats]:
    """Scores of a metric that is a mean over images."""
    by_image = (
        (a.log_probability if metric == "log_loss" else a.predicted == outcomes.truth).mean(axis=0)
        for a in outcomes.candidates
    )
    values = np.array([outcomes.group_sums(row) for row in by_image])
    sizes = np.bincount(outcomes.groups).astype(np.float64)
    return lambda weights: (weights @ values.T) / (weights @ sizes)[:, None]


def _recall_scorer(outcomes: Outcomes) -> Callable[[Floats], Floats]:
    """Scores of balanced accuracy: of the images of one class and group only the share answered rightly counts."""
    names = outcomes.truth_codes * outcomes.group_count + outcomes.groups
    cells, cell = np.unique(names, return_inverse=True)
    label, group = np.divmod(cells, outcomes.group_count)
    sizes = np.bincount(cell).astype(np.float64)
    right = [np.bincount(cell, (a.predicted == outcomes.truth).mean(axis=0)) for a in outcomes.candidates]
    values = np.array(right)
    starts = np.searchsorted(label, np.arange(outcomes.present_classes.size))

    def scores(weights: Floats) -> Floats:
        drawn = weights[:, group]
        totals = np.add.reduceat(drawn * sizes, starts, axis=1)
        share = np.divide(1, totals, out=np.zeros_like(totals), where=totals > 0)
        drawn *= share[:, label]
        return (drawn @ values.T) / (totals > 0).sum(axis=1)[:, None]

    return scores


def _f1_scorer(outcomes: Outcomes) -> Callable[[Floats], Floats]:
    """Scores of macro-F1, which is no mean over images: each seed's counts are weighed and its score computed."""
    rows = [row[None] for answers in outcomes.candidates for row in answers.predicted]
    seeds = np.array([answers.seeds for answers in outcomes.candidates])
    starts = np.concatenate([[0], np.cumsum(seeds)[:-1]])
    every = np.ones(outcomes.group_count, dtype=np.bool_)
    counts = group_counts(outcomes, rows, every)
    truth = group_counts(outcomes, [outcomes.truth[None].astype(np.int32)], every).right
    shape = (len(rows), outcomes.present_classes.size, -1)

    def scores(weights: Floats) -> Floats:
        across = np.ascontiguousarray(weights.T)
        sizes = truth @ across
        top = 2 * (counts.right @ across).reshape(shape)
        bottom = sizes + (counts.predicted @ across).reshape(shape)
        by_class = np.divide(top, bottom, out=np.zeros_like(top), where=np.broadcast_to(sizes > 0, top.shape))
        by_row = by_class.sum(axis=1) / (sizes > 0).sum(axis=0)
        return (np.add.reduceat(by_row, starts, axis=0) / seeds[:, None]).T

    return scores
