from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics.contrasts import Pairs, WeightedContrasts

WEIGHTS = [[1, -0.5, -0.5, 0], [0, 2, 1, -3], [1, -1, 0, 0]]


@pytest.mark.parametrize("contrasts", [Pairs(4), WeightedContrasts(WEIGHTS, 4)])
def test_differences_of_all_pairs_put_together_are_the_contrast(contrasts):
    values = np.random.default_rng(0).standard_normal((6, 4))
    leads = (values[:, :, None] - values[:, None, :]).transpose(1, 2, 0)
    assert contrasts.of_matrix(leads) == pytest.approx(contrasts.of_rows(values))


def test_pairs_are_the_weighted_contrasts_of_one_against_another():
    pairs = Pairs(4)
    weighted = WeightedContrasts(np.eye(4)[pairs.first] - np.eye(4)[pairs.second], 4)
    values = np.random.default_rng(1).standard_normal((4, 9))
    assert pairs.count == weighted.count == 6
    assert pairs.of_rows(values.T) == pytest.approx(weighted.of_rows(values.T))
    assert pairs.of_squares(values.T**2) == pytest.approx(weighted.of_squares(values.T**2))
    assert pairs.square_norms(values) == pytest.approx(weighted.square_norms(values))
