"""The Pareto front, checked against the definition row by row."""

from __future__ import annotations

import numpy as np

from benchmark.board.pareto import front


def test_the_front_is_what_the_definition_says() -> None:
    generator = np.random.Generator(np.random.PCG64(0))
    scores = generator.integers(0, 6, 60) / 5
    costs = generator.integers(0, 6, (60, 2))
    found = front(scores, costs)
    for row in range(60):
        beaten = any(
            scores[other] >= scores[row]
            and (costs[other] <= costs[row]).all()
            and (scores[other] > scores[row] or (costs[other] < costs[row]).any())
            for other in range(60)
        )
        assert found[row] == (not beaten)


def test_rows_that_are_alike_are_on_it_together() -> None:
    assert front([0.9, 0.9, 0.8], [[1], [1], [2]]).tolist() == [True, True, False]


def test_the_cheapest_and_the_best_are_always_on_it() -> None:
    assert front([0.5, 0.7, 0.9], [1.0, 2.0, 3.0]).tolist() == [True, True, True]
