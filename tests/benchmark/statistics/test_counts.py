from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmark.statistics.contrasts import Pairs
from benchmark.statistics.counts import MacroF1Swaps


@pytest.mark.parametrize("absent", [False, True])
def test_swapped_leads_are_those_of_literally_swapped_predictions(board, absent):
    generator = np.random.default_rng(8)
    truth = generator.choice([0, 2] if absent else 3, 40)
    rows = [np.where(generator.random(40) < 0.6, truth, generator.integers(0, 3, 40)) for _ in range(3)]
    groups = np.arange(40) // 2
    swaps = MacroF1Swaps(board(truth, rows, groups=groups, class_count=3))
    swapped = generator.integers(0, 2, (5, swaps.groups)).astype(float)
    found = swaps.leads(swapped, Pairs(3))
    pairs = Pairs(3)
    for draw in range(5):
        everywhere = np.zeros(20, dtype=bool)
        everywhere[swaps.disagreed] = swapped[draw] > 0
        images = everywhere[groups]
        for q, (j, k) in enumerate(zip(pairs.first, pairs.second, strict=True)):
            new_j, new_k = np.where(images, rows[k], rows[j]), np.where(images, rows[j], rows[k])
            labels = np.unique(truth)
            lead = f1_score(truth, new_j, labels=labels, average="macro") - f1_score(
                truth, new_k, labels=labels, average="macro"
            )
            assert found[draw, q] == pytest.approx(lead, abs=1e-12)


def test_groups_on_which_all_agree_are_not_swapped(board):
    truth = np.arange(12) % 3
    row = truth.copy()
    row[4] = 0
    swaps = MacroF1Swaps(board(truth, [truth, row], groups=np.arange(12) // 2))
    assert swaps.disagreed.tolist() == [False, False, True, False, False, False]
