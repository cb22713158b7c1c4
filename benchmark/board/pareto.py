"""The Pareto front: rows that no other row beats in everything at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def front(scores: npt.ArrayLike, costs: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether each row is on the front.

    A row is off it when another is at least as good in the score and in every cost, and better in one of them. Rows
    that are alike in everything are on it together.

    Args:
        scores: K numbers, higher is better.
        costs: K x M numbers, lower is better.
    """
    score = np.asarray(scores, dtype=np.float64)
    cost = np.asarray(costs, dtype=np.float64).reshape(len(score), -1)
    values = np.column_stack([-score, cost])
    no_worse = np.all(values[:, None, :] <= values[None, :, :], axis=2)
    better = np.any(values[:, None, :] < values[None, :, :], axis=2)
    return ~np.asarray((no_worse & better).any(axis=0), dtype=np.bool_)
