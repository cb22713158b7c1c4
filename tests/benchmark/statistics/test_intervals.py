from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics import METRICS, Outcomes, estimate
from benchmark.statistics.intervals import wilson

BOUNDED = ("accuracy", "balanced_accuracy", "macro_f1")


def ends(estimates, k=0):
    return [estimates.low[k], estimates.high[k]]


@pytest.mark.parametrize("metric", BOUNDED)
def test_the_golden_scores_and_intervals_are_reproduced(golden_board, golden, metric):
    estimates = estimate(golden_board, metric)
    exact = golden[metric]["exact"]
    assert estimates.score == pytest.approx(exact["score"], abs=1e-12)
    assert np.column_stack([estimates.low, estimates.high]) == pytest.approx(np.array(exact["ci"]), abs=1e-4)
    assert estimates.image_sd**2 == pytest.approx(exact["V_img"])


def test_wilson_agrees_with_written_figures_and_with_scipy():
    assert wilson(1.0, 30, 1.959964) == pytest.approx((0.886487, 1), abs=1e-6)
    assert wilson(0.9, 100, 1.959964) == pytest.approx((0.825634, 0.944771), abs=1e-6)
    reference = stats.binomtest(33, 41).proportion_ci(method="wilson")
    assert wilson(33 / 41, 41, stats.norm.ppf(0.975)) == pytest.approx(tuple(reference))


def test_seed_standard_deviation_is_that_of_the_seed_scores(golden_board, golden_truth, golden_predicted):
    estimates = estimate(golden_board, "accuracy")
    scores = (golden_predicted == golden_truth).mean(axis=2)
    assert np.array(estimates.seed_scores) == pytest.approx(scores)
    assert estimates.seed_sd == pytest.approx(scores.std(axis=1, ddof=1))


def test_log_loss_is_shown_positive_with_a_t_interval_on_its_logarithm():
    generator = np.random.default_rng(0)
    truth = np.repeat([0, 1], 40)
    probabilities = generator.dirichlet([2, 2], (1, 80))
    estimates = estimate(Outcomes.from_probabilities(truth, np.arange(80), 2, [("frozen", probabilities)]), "log_loss")
    losses = -np.log(probabilities[0, np.arange(80), truth])
    mean, error = losses.mean(), losses.std(ddof=1) / np.sqrt(80)
    reach = np.exp(stats.t.ppf(0.975, 79) * error / mean)
    assert estimates.score[0] == pytest.approx(mean)
    assert ends(estimates) == pytest.approx([mean / reach, mean * reach])


@pytest.mark.parametrize("metric", BOUNDED)
def test_a_perfect_score_has_an_interval_below_1(board, metric):
    truth = np.arange(30) % 3
    estimates = estimate(board(truth, [truth]), metric)
    assert estimates.score[0] == 1
    assert 0.6 < estimates.low[0] < 0.95
    assert estimates.high[0] == 1


def test_perfect_accuracy_has_the_wilson_interval_of_its_groups(board):
    truth = np.arange(30) % 3
    expected = wilson(1.0, 30, stats.t.ppf(0.975, 29))
    assert ends(estimate(board(truth, [truth]), "accuracy")) == pytest.approx(list(expected))


@pytest.mark.parametrize("metric", BOUNDED)
def test_a_score_of_0_has_an_interval_above_0(board, metric):
    truth = np.arange(30) % 3
    estimates = estimate(board(truth, [(truth + 1) % 3]), metric)
    assert ends(estimates)[0] == estimates.score[0] == 0
    assert 0.05 < estimates.high[0] < 0.5


def test_a_log_loss_of_0_is_bounded_by_the_floor_of_the_probabilities():
    truth = np.arange(30) % 3
    sure = np.eye(3)[truth][None]
    estimates = estimate(Outcomes.from_probabilities(truth, np.arange(30), 3, [("frozen", sure)]), "log_loss")
    assert estimates.score[0] == 0
    assert ends(estimates) == pytest.approx([0, 36.0437 * wilson(0.0, 30, stats.t.ppf(0.975, 29)).high], abs=1e-3)


def test_a_hopeless_log_loss_stays_below_the_floor():
    truth = np.array([0, 1] * 4)
    answers = np.array([np.eye(2)[1 - truth], np.full((8, 2), 0.5)])
    estimates = estimate(Outcomes.from_probabilities(truth, np.arange(8), 2, [("frozen", answers)]), "log_loss")
    assert 0 <= estimates.low[0] < estimates.score[0] < estimates.high[0] <= 36.05


@pytest.mark.parametrize("metric", METRICS)
def test_one_group_says_nothing(board, metric):
    truth = np.arange(12) % 3
    estimates = estimate(board(truth, [np.where(truth < 2, truth, 0)], groups=np.zeros(12)), metric)
    assert ends(estimates) == pytest.approx([0, 36.0437 if metric == "log_loss" else 1], abs=1e-4)


@pytest.mark.parametrize("metric", METRICS)
def test_two_groups_say_little(board, metric):
    truth = np.arange(12) % 3
    predicted = np.where(np.arange(12) < 3, 0, truth)
    estimates = estimate(board(truth, [predicted], groups=np.arange(12) // 6), metric)
    assert ends(estimates)[0] <= estimates.score[0] <= ends(estimates)[1]
    assert ends(estimates)[1] - ends(estimates)[0] > 0.6


@pytest.mark.parametrize("metric", METRICS)
def test_one_image_per_class_gives_a_finite_interval(board, metric):
    truth = np.arange(20)
    estimates = estimate(board(truth, [np.where(truth < 4, 19 - truth, truth)]), metric)
    low, high = ends(estimates)
    assert 0 <= low < estimates.score[0] < high
    assert high - low < 2


@pytest.mark.parametrize("metric", METRICS)
def test_a_single_image_gives_an_interval(board, metric):
    estimates = estimate(board([0], [[0]], class_count=2), metric)
    assert estimates.low[0] <= estimates.score[0] <= estimates.high[0]


@pytest.mark.parametrize("metric", BOUNDED)
def test_classes_absent_from_the_truth_change_nothing(golden_truth, golden_predicted, board, metric):
    narrow = estimate(board(golden_truth, list(golden_predicted), class_count=3), metric)
    wide = estimate(board(golden_truth, list(golden_predicted), class_count=7), metric)
    for name in ("score", "low", "high", "image_variance"):
        assert np.array_equal(getattr(narrow, name), getattr(wide, name))


def test_more_spread_between_seeds_widens_the_interval(board):
    generator = np.random.default_rng(5)
    truth = np.arange(400) % 2

    def interval(rates):
        seeds = np.array([np.where(generator.random(400) < rate, truth, 1 - truth) for rate in rates])
        low, high = ends(estimate(board(truth, [seeds]), "accuracy"))
        return high - low

    assert interval((0.65, 0.8, 0.95)) > 3 * interval((0.8, 0.8, 0.8))
