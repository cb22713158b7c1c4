"""Draws that do not fit into memory: only the large ones are kept, and the critical value is the same."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import Comparison, compare, swaps
from benchmark.statistics.draws import AllDraws, LargeDraws


def blocks(size: int = 7) -> list[np.ndarray]:
    values = np.random.default_rng(0).standard_t(4, (40, 30))
    return [values[start : start + size] for start in range(0, 40, size)]


def test_maxima_above_the_floor_are_those_of_all_draws() -> None:
    generator = np.random.default_rng(1)
    everything, large = AllDraws(blocks()), LargeDraws(iter(blocks()), 40)
    assert large.floor == 2
    lower = 0
    for share in (1.0, 0.5, 0.1, 0.03):
        forward, backward = generator.random((2, 30)) < share
        expected = np.maximum(everything.maxima(forward, backward), 2)
        assert (large.maxima(forward, backward) == expected).all()
        lower += int((expected == 2).sum())
    assert 0 < lower < 160


def test_the_floor_rises_when_too_many_would_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.statistics.draws.MOST_NUMBERS", 12)
    kept = LargeDraws(iter(blocks()), 40)
    every = np.ones(30, dtype=bool)
    maxima, expected = kept.maxima(every, every), AllDraws(blocks()).maxima(every, every)
    assert kept.floor > 2.5
    assert (maxima == np.maximum(expected, kept.floor)).all()


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_a_board_too_large_for_memory_has_the_same_comparison(golden_board, metric, monkeypatch) -> None:
    whole = compare(golden_board, metric, seed=0)
    monkeypatch.setattr(swaps, "MOST_NUMBERS", 0)
    blocked = compare(golden_board, metric, seed=0)
    for name in set(Comparison.__dataclass_fields__) - {"estimates"}:
        assert np.array_equal(getattr(whole, name), getattr(blocked, name)), name
