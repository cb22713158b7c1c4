"""Boards whose answers are written down, and the golden figures of one of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from benchmark.statistics import Outcomes

BoardMaker = Callable[..., Outcomes]


def make_board(
    truth: ArrayLike,
    predicted: Sequence[ArrayLike],
    groups: ArrayLike | None = None,
    families: Sequence[Hashable] | None = None,
    class_count: int | None = None,
) -> Outcomes:
    """Outcomes of candidates with the predicted classes [S, N]; the predicted class has probability .8."""
    truth = np.asarray(truth)
    rows = [np.atleast_2d(row) for row in predicted]
    count = class_count or int(max(truth.max(), *(row.max() for row in rows))) + 1
    rest = 0.2 / (count - 1) if count > 1 else 0.0
    probabilities = [np.where(np.eye(count, dtype=bool)[row], 1 - rest * (count - 1), rest) for row in rows]
    names = families or ["frozen"] * len(rows)
    return Outcomes.from_probabilities(
        truth, np.arange(truth.size) if groups is None else groups, count, zip(names, probabilities, strict=True)
    )


def golden_predictions() -> tuple[np.ndarray, np.ndarray]:
    """Truth [90] and predicted classes [4, 3, 90] of the golden board; no random numbers."""
    truth = np.repeat([0, 1, 2], [45, 30, 15])
    i = np.arange(90)
    predicted = np.empty((4, 3, 90), dtype=int)
    for k, threshold in enumerate([6, 9, 14, 30]):
        for s in range(3):
            wrong = (37 * i + 11) % 101 + (53 * i + 29 * k + 71 * s + 7) % 19 < threshold + 2 * (s == 1) + 8
            predicted[k, s] = np.where(wrong, (truth + 1 + i % 2) % 3, truth)
    return truth, predicted


@pytest.fixture
def board() -> BoardMaker:
    return make_board


@pytest.fixture(scope="session")
def golden_board() -> Outcomes:
    truth, predicted = golden_predictions()
    return make_board(truth, list(predicted))


@pytest.fixture(scope="session")
def golden_truth() -> np.ndarray:
    return golden_predictions()[0]


@pytest.fixture(scope="session")
def golden_predicted() -> np.ndarray:
    return golden_predictions()[1]


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "golden-ranks.json").read_text())
