from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics import METRICS, InvalidContrasts, compare, contrast_intervals, paired_test


def disagreeing(board, wins, losses, images):
    """Two candidates, right on everything but `losses` (the first) and `wins` (the second) images."""
    truth = np.zeros(images, dtype=int)
    first, second = truth.copy(), truth.copy()
    first[:losses] = 1
    second[losses : losses + wins] = 1
    return board(truth, [first, second])


def test_nine_wins_and_one_loss_give_mcnemars_exact_p(board):
    test = paired_test(disagreeing(board, 9, 1, 60), "accuracy", seed=0)
    assert test.p_value == 11 / 512
    assert test.statistic == pytest.approx(2.5298221281, abs=1e-10)
    assert test.difference == pytest.approx(8 / 60)
    assert test.low > 0


@pytest.mark.parametrize(("wins", "losses"), [(30, 14), (25, 25), (40, 12)])
def test_many_disagreements_give_mcnemars_p_up_to_sampling(board, wins, losses):
    test = paired_test(disagreeing(board, wins, losses, 200), "accuracy", seed=0, draws=50_000)
    exact = stats.binomtest(wins, wins + losses).pvalue
    assert test.p_value == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 50_000) + 1e-4)


def test_turning_the_pair_round_turns_the_sign_only(golden_truth, golden_predicted, board):
    a, b = golden_predicted[1:3]
    for metric in METRICS:
        here = paired_test(board(golden_truth, [a, b]), metric, seed=3)
        there = paired_test(board(golden_truth, [b, a]), metric, seed=3)
        assert (there.difference, there.low, there.high) == (-here.difference, -here.high, -here.low)
        assert there.p_value == here.p_value


def test_identical_candidates_differ_by_nothing(golden_truth, golden_predicted, board):
    for metric in METRICS:
        test = paired_test(board(golden_truth, [golden_predicted[0, :1]] * 2), metric, seed=0)
        assert test[:5] == (0, 0, 0, 0, 0)
        assert test.p_value == 1


def test_three_candidates_are_no_pair(golden_board):
    with pytest.raises(InvalidContrasts, match="4 candidates, expected 2"):
        paired_test(golden_board, "accuracy", seed=0)


@pytest.mark.parametrize("metric", METRICS)
def test_the_contrasts_of_all_pairs_are_the_comparison(golden_board, metric):
    first, second = np.triu_indices(4, 1)
    weights = np.eye(4)[first] - np.eye(4)[second]
    contrasts = contrast_intervals(golden_board, metric, weights, seed=0)
    result = compare(golden_board, metric, seed=0)
    assert contrasts.statistic == pytest.approx(result.statistic[first, second], abs=1e-9)
    assert contrasts.critical_value == pytest.approx(result.critical_value)
    assert contrasts.difference == pytest.approx(result.lead[first, second])
    assert contrasts.high == pytest.approx(
        result.lead[first, second] + result.critical_value * result.standard_error[first, second]
    )


def test_twice_a_contrast_is_the_same_claim_with_twice_the_numbers(golden_board):
    for metric in METRICS:
        once = contrast_intervals(golden_board, metric, [[1, -0.5, -0.5, 0]], seed=0)
        twice = contrast_intervals(golden_board, metric, [[2, -1, -1, 0]], seed=0)
        assert twice.high == pytest.approx(2 * once.high)
        assert twice.statistic == pytest.approx(once.statistic)
        assert twice.p_value == once.p_value


def factorial(generator, images, lift):
    """Truth and 2 backbones x (balanced, none), 0/1 answers; balanced is right more often by `lift`."""
    truth = np.zeros(images, dtype=int)
    difficulty = generator.standard_normal(images)
    rows = []
    for backbone in (0.4, 0.9):
        own = difficulty + backbone + 0.7 * generator.standard_normal(images)
        for effect in (lift, 0.0):
            rows.append((own + effect + 0.7 * generator.standard_normal(images) < 0).astype(int))
    return truth, rows


MEAN_EFFECT = [0.5, -0.5, 0.5, -0.5]


def test_a_matched_contrasts_p_is_that_of_all_label_exchanges(board):
    truth, rows = factorial(np.random.default_rng(2), 9, 0.6)
    result = contrast_intervals(board(truth, rows), "accuracy", [MEAN_EFFECT], seed=0)
    right = 1.0 - np.array(rows)
    observed = abs(np.dot(MEAN_EFFECT, right.sum(axis=1)))
    exchanged = []
    for signs in itertools.product([False, True], repeat=9):
        swapped = np.where(signs, right[[1, 0, 3, 2]], right)
        exchanged.append(abs(np.dot(MEAN_EFFECT, swapped.sum(axis=1))))
    assert observed > 0
    assert result.p_value[0] == np.mean(np.array(exchanged) >= observed - 1e-9)


def test_a_mean_effect_that_is_there_is_found_with_an_interval_around_it(board):
    truth, rows = factorial(np.random.default_rng(3), 600, 0.5)
    outcomes = board(truth, rows)
    result = contrast_intervals(outcomes, "accuracy", [MEAN_EFFECT, [0.5, 0.5, -0.5, -0.5]], seed=0)
    right = 1.0 - np.array(rows)
    assert result.difference[0] == pytest.approx(np.dot(MEAN_EFFECT, right.mean(axis=1)))
    assert 0 < result.low[0] < result.difference[0] < result.high[0]
    assert result.high[1] < 0


@pytest.mark.parametrize("metric", METRICS)
def test_an_interval_leaves_out_0_exactly_when_p_is_at_most_5_percent(board, metric):
    generator = np.random.default_rng(4)
    for lift in (0.0, 0.25, 0.3, 0.35, 0.5):
        truth, rows = factorial(generator, 150, lift)
        truth[::3] = 1
        weights = [MEAN_EFFECT, [1, -1, 0, 0], [0, 0, 1, -1]]
        result = contrast_intervals(board(truth, rows), metric, weights, seed=1, draws=999)
        assert np.array_equal(result.p_value <= 0.05, (result.low > 0) | (result.high < 0))


def test_contrasts_of_null_effects_are_claimed_in_about_5_percent_of_worlds(board):
    generator = np.random.default_rng(5)
    claimed = 0
    for world in range(200):
        truth, rows = factorial(generator, 80, 0.0)
        result = contrast_intervals(
            board(truth, rows), "accuracy", [MEAN_EFFECT, [1, -1, -1, 1]], seed=world, draws=499
        )
        claimed += bool((result.p_value <= 0.05).any())
    assert stats.binom.ppf(0.0005, 200, 0.03) <= claimed <= stats.binom.ppf(0.9995, 200, 0.05)


def test_contrasts_that_cancel_on_every_image_have_no_error(board):
    truth = np.arange(30) % 3
    rows = [truth, np.where(np.arange(30) < 9, 0, truth)]
    weights = [[1 / 3, 1 / 3, -1 / 3, -1 / 3]]
    result = contrast_intervals(board(truth, [*rows, *rows[::-1]]), "accuracy", weights, seed=0)
    assert result.statistic[0] == 0
    assert result.p_value[0] == 1


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        ([[1, 0, 0, 0]], "1.0"),
        ([[0, 0, 0, 0]], "0.0"),
        ([[1, -1]], "(1, 2)"),
        ([1, -1, 0, 0], "(4,)"),
        ([[1, np.nan, -1, 0]], "nan"),
    ],
)
def test_weights_that_are_no_contrast_are_refused(golden_board, weights, found):
    with pytest.raises(InvalidContrasts) as caught:
        contrast_intervals(golden_board, "accuracy", weights, seed=0)
    assert found in str(caught.value)
