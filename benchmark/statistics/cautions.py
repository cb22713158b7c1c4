"""Cautions: what a reader must know before believing a board, one sentence each."""

from __future__ import annotations

import numpy as np

from benchmark.statistics.outcomes import Outcomes
from benchmark.statistics.pseudo_values import Metric, check_metric

FEWEST_GROUPS = 10
"""Below this many groups in the rarest class, intervals and tests lean on assumptions."""

_SATURATED_ACCURACY = 0.98
_FEW_IMAGES = 300


def cautions(outcomes: Outcomes, metric: Metric) -> tuple[str, ...]:
    """Sentences for below the board; empty when nothing needs saying.

    Raises UnknownMetric.
    """
    check_metric(metric)
    found = []
    single = sum(answers.seeds == 1 for answers in outcomes.candidates)
    if single:
        who = "One seed" if single == len(outcomes.candidates) else f"One seed in {single} of the rows"
        found.append(f"{who}: the order refers to these weights, not to the recipe; train 3 seeds or more.")
    double = sum(answers.seeds == 2 for answers in outcomes.candidates)
    if double:
        who = "Two seeds" if double == len(outcomes.candidates) else f"Two seeds in {double} of the rows"
        found.append(
            f"{who}: the spread between seeds rests on one difference a row (df = 1), so that only large gaps are "
            "told; train 3 seeds or more."
        )
    pairs = np.unique(np.stack([outcomes.truth_codes, outcomes.groups]), axis=1)
    rarest = int(np.bincount(pairs[0]).min())
    if rarest < FEWEST_GROUPS:
        found.append(
            f"The rarest class has {rarest} test groups, fewer than {FEWEST_GROUPS}: its scores are rough; "
            "add images or use k-fold."
        )
    if metric == "log_loss" and outcomes.images < _FEW_IMAGES:
        best = max(float((a.predicted == outcomes.truth).mean()) for a in outcomes.candidates)
        if best > _SATURATED_ACCURACY:
            found.append(
                f"Log loss of {outcomes.images} images at accuracy {best:.3f} hangs on a few images; "
                "its intervals may be too narrow."
            )
    return tuple(found)
