"""Counts by class and group, and what swapping them does to macro-F1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.statistics.contrasts import Contrasts
from benchmark.statistics.outcomes import Floats, Outcomes
from benchmark.statistics.pseudo_values import class_counts


class GroupCounts(NamedTuple):
    """Counts of R rows of predictions by present class and group, two sparse matrices [R * P, G]."""

    right: sparse.csr_matrix
    predicted: sparse.csr_matrix


def group_counts(outcomes: Outcomes, rows: list[NDArray[np.int32]], disagreed: NDArray[np.bool_]) -> GroupCounts:
    """Counts of the groups where `disagreed` [G] is true; a row [S, N] counts as the mean over its S seeds."""
    column = np.cumsum(disagreed) - 1
    images = np.flatnonzero(disagreed[outcomes.groups])
    columns = column[outcomes.groups[images]]
    code = np.full(outcomes.class_count, -1)
    code[outcomes.present_classes] = np.arange(outcomes.present_classes.size)
    shape = (outcomes.present_classes.size, int(disagreed.sum()))

    def counted(chosen: NDArray[np.bool_], classes: NDArray[np.intp]) -> sparse.csr_matrix:
        column_of = np.broadcast_to(columns, chosen.shape)[chosen]
        weight = np.full(column_of.size, 1 / len(chosen))
        return sparse.csr_matrix((weight, (classes[chosen], column_of)), shape=shape)

    right, predicted = [], []
    for row in rows:
        answered = row[:, images]
        classes = code[answered]
        right.append(counted(answered == outcomes.truth[images], classes))
        predicted.append(counted(classes >= 0, classes))
    return GroupCounts(sparse.vstack(right, format="csr"), sparse.vstack(predicted, format="csr"))


class MacroF1Swaps:
    """Swaps for macro-F1, whose counts are swapped and whose score is computed again.

    The linear form keeps the denominators of the unswapped counts and rejects too often. Counts are averaged
    over seeds before the swap, so that candidates may differ in their number of seeds.
    """

    def __init__(self, outcomes: Outcomes) -> None:
        self.disagreed = _disagreed_groups(outcomes)
        self.groups = int(self.disagreed.sum())
        rows = [answers.predicted for answers in outcomes.candidates]
        self.counts = group_counts(outcomes, rows, self.disagreed)
        totals = [class_counts(outcomes, answers) for answers in outcomes.candidates]
        self.right = np.array([counts.right.mean(axis=0) for counts in totals])
        self.predicted = np.array([counts.predicted.mean(axis=0) for counts in totals])
        self.class_sizes = outcomes.class_sizes
        candidates, classes = self.right.shape
        self.width = max(candidates * max(candidates, classes), self.groups)

    def leads(self, swapped: Floats, contrasts: Contrasts) -> Floats:
        """Differences [b, Q] after swapping where `swapped` [b, groups] is 1."""
        across = np.ascontiguousarray(swapped.T)
        shape = (*self.right.shape, len(swapped))
        right = (self.counts.right @ across).reshape(shape)
        predicted = (self.counts.predicted @ across).reshape(shape)
        kept_right = self.right[:, :, None] - right
        kept_predicted = self.predicted[:, :, None] - predicted + self.class_sizes[:, None]
        scores = np.zeros((shape[0], shape[0], shape[2]))
        top, bottom = np.empty_like(scores), np.empty_like(scores)
        for c in range(shape[1]):
            np.add(kept_right[:, None, c], right[None, :, c], out=top)
            np.add(kept_predicted[:, None, c], predicted[None, :, c], out=bottom)
            scores += np.divide(top, bottom, out=top)
        scores *= 2 / shape[1]
        return contrasts.of_matrix(scores - scores.transpose(1, 0, 2))


def _disagreed_groups(outcomes: Outcomes) -> NDArray[np.bool_]:
    """Groups with an image on which some candidate or seed predicts another class than the rest, [G]."""
    reference = outcomes.candidates[0].predicted[0]
    images = np.zeros(outcomes.images, dtype=np.bool_)
    for answers in outcomes.candidates:
        images |= (answers.predicted != reference).any(axis=0)
    disagreed = np.zeros(outcomes.group_count, dtype=np.bool_)
    disagreed[outcomes.groups[images]] = True
    return disagreed
