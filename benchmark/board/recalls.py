"""Recalls: every class's recall as a score of its own, so that the statistics of the board can judge it."""

from __future__ import annotations

import numpy as np

from benchmark.statistics import Answers, Outcomes

_MOST_BYTES = 2**30


def recall_outcomes(outcomes: Outcomes) -> Outcomes:
    """K x P candidates out of K, each right only where the original is right about one of the P present classes.

    Candidate k on the p-th present class stands at k P + p. Its balanced accuracy is the recall of that class
    divided by P. Seed noise is pooled within a family and class, and drawn for each class on its own.
    """
    wrong = ((outcomes.truth + 1) % outcomes.class_count).astype(np.int32)
    candidates = []
    for answers in outcomes.candidates:
        blank = np.broadcast_to(np.float64(0), answers.predicted.shape)
        for label in outcomes.present_classes:
            predicted = np.where(outcomes.truth == label, answers.predicted, wrong)
            candidates.append(Answers((answers.family, int(label)), predicted, blank))
    return Outcomes(outcomes.truth, outcomes.groups, outcomes.class_count, tuple(candidates))


def fits_into_memory(outcomes: Outcomes) -> bool:
    """Whether the recalls of all classes can be compared within about a gigabyte."""
    answers = sum(one.predicted.nbytes for one in outcomes.candidates)
    sums = 8 * len(outcomes.candidates) * outcomes.group_count
    return (answers + sums) * outcomes.present_classes.size <= _MOST_BYTES
