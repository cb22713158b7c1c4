from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics import PairVariance, compare, pair_variance, power_hint, separable_gap

EXAMPLE = PairVariance(image=0.018**2, seed=0.006**2, image_seed=0.007**2, images=300, seeds=3)


def test_the_golden_power_hint_is_reproduced():
    hint = power_hint(EXAMPLE, critical_value=3.0, gap=0.04)
    assert hint.separable_gap == pytest.approx(0.0728896, abs=1e-7)
    assert hint.images_needed == pytest.approx({1: 304781, 2: 1921.3, 3: 1342.3, 5: 1051.9, 10: 890.3}, rel=1e-4)


def test_no_number_of_images_makes_up_for_seeds_that_vary_too_much():
    hint = power_hint(EXAMPLE, critical_value=3.0, gap=0.02, seeds=(1, 20))
    assert hint.images_needed[1] == np.inf
    assert np.isfinite(hint.images_needed[20])


def test_the_images_at_hand_separate_just_the_separable_gap():
    gap = power_hint(EXAMPLE, critical_value=3.0, gap=1.0).separable_gap
    assert power_hint(EXAMPLE, critical_value=3.0, gap=gap).images_needed[3] == pytest.approx(300)


def test_a_pairs_variance_is_that_of_the_comparison(golden_board):
    result = compare(golden_board, "accuracy", seed=0)
    variance = pair_variance(golden_board, result, 1, 3)
    assert variance.image + variance.seed == pytest.approx(result.standard_error[1, 3] ** 2)
    assert variance.seed == pytest.approx(2.75853468701486e-05)
    assert variance.image_seed == pytest.approx((0.0004110711198833804 + 0.0004443956072308563) / 3)
    assert (variance.images, variance.seeds) == (90, 3)


def test_one_seed_leaves_the_interaction_unknown_and_counts_it_as_0(golden_truth, golden_predicted, board):
    outcomes = board(golden_truth, [golden_predicted[0, :1], golden_predicted[3, :1]])
    variance = pair_variance(outcomes, compare(outcomes, "accuracy", seed=0), 0, 1)
    assert (variance.seed, variance.image_seed, variance.seeds) == (0, 0, 1)


def test_the_separable_gap_is_that_of_a_typical_pair(golden_board):
    result = compare(golden_board, "accuracy", seed=0)
    errors = result.standard_error[np.triu_indices(4, 1)]
    expected = (result.critical_value + stats.norm.ppf(0.8)) * np.median(errors)
    assert separable_gap(result) == pytest.approx(expected)


def test_boards_without_a_pair_that_differs_have_no_separable_gap(golden_truth, golden_predicted, board):
    row, seeds = golden_predicted[0, :1], golden_predicted[0]
    for rows in ([row], [row, row], [seeds, seeds]):
        assert np.isnan(separable_gap(compare(board(golden_truth, rows), "accuracy", seed=0)))


def test_a_gap_of_the_separable_size_is_found_in_about_80_percent_of_worlds(board):
    generator = np.random.default_rng(1)
    truth = np.zeros(400, dtype=int)

    def world(lift):
        own = generator.random(400)
        return board(truth, [(own < 0.3 - lift).astype(int), (generator.random(400) < 0.3).astype(int)])

    gap = separable_gap(compare(world(0.0), "accuracy", seed=0))
    found = sum(compare(world(gap), "accuracy", seed=s, draws=499).surely_better[0, 1] for s in range(150))
    assert 0.68 < found / 150 < 0.95
