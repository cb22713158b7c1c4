from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics import METRICS, Estimates, Outcomes, compare

UPPER = np.triu_indices(4, 1)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1"])
def test_the_golden_board_is_reproduced(golden_board, golden, metric):
    result = compare(golden_board, metric, seed=0)
    figures = golden[metric]
    assert result.statistic[UPPER] == pytest.approx(figures["T"], abs=figures["T_tol"])
    assert result.critical_value == pytest.approx(figures["crit_first"], abs=figures["crit_tol"])
    assert result.rank_low.tolist() == figures["rank_lo"]
    assert result.rank_high.tolist() == figures["rank_hi"]
    assert result.tied_with_best.astype(int).tolist() == figures["tied"]


def test_the_statistic_of_ten_disagreements_is_mcnemars(board):
    truth = np.zeros(60, dtype=int)
    better, worse = truth.copy(), truth.copy()
    better[0], worse[1:10] = 1, 1
    result = compare(board(truth, [better, worse]), "accuracy", seed=0)
    assert result.statistic[0, 1] == pytest.approx(2.5298221281, abs=1e-10)
    assert result.statistic[0, 1] == -result.statistic[1, 0]


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "log_loss"])
def test_copies_leave_the_statistic_unchanged_in_groups_and_inflate_it_without(
    golden_truth, golden_predicted, board, metric
):
    rows = [row[:1] for row in golden_predicted]
    twice = [np.tile(row, 2) for row in rows]
    groups = np.tile(np.arange(90), 2)
    once = compare(board(golden_truth, rows), metric, seed=0).statistic
    grouped = compare(board(np.tile(golden_truth, 2), twice, groups=groups), metric, seed=0).statistic
    naive = compare(board(np.tile(golden_truth, 2), twice), metric, seed=0).statistic
    assert grouped == pytest.approx(once, abs=1e-9)
    assert naive == pytest.approx(once * np.sqrt(2), abs=1e-9)


def test_copies_in_groups_leave_macro_f1_almost_unchanged(golden_truth, golden_predicted, board):
    rows = [row[:1] for row in golden_predicted]
    once = compare(board(golden_truth, rows), "macro_f1", seed=0)
    twice = compare(
        board(np.tile(golden_truth, 2), [np.tile(row, 2) for row in rows], groups=np.tile(np.arange(90), 2)),
        "macro_f1",
        seed=0,
    )
    assert twice.statistic == pytest.approx(once.statistic, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_an_identical_row_has_statistic_0_and_the_same_bounds(golden_truth, golden_predicted, board, metric):
    outcomes = board(golden_truth, [*golden_predicted, golden_predicted[1][::-1]])
    result = compare(outcomes, metric, seed=0)
    assert result.statistic[1, 4] == result.statistic[4, 1] == 0
    for bounds in (result.rank_low, result.rank_high, result.tied_with_best):
        assert bounds[1] == bounds[4]
    for bounds in (result.gap_low, result.gap_high):
        assert bounds[1] == pytest.approx(bounds[4], abs=1e-12)


def test_the_order_of_the_seeds_does_not_set_two_candidates_apart():
    truth = np.arange(50) % 3
    seeds = np.random.default_rng(0).dirichlet([1, 1, 1], (3, 50))
    rows = [("frozen", seeds), ("frozen", seeds[[2, 0, 1]])]
    result = compare(Outcomes.from_probabilities(truth, np.arange(50), 3, rows), "log_loss", seed=0)
    assert (result.lead == 0).all()
    assert (result.statistic == 0).all()


@pytest.mark.parametrize("metric", METRICS)
def test_a_board_of_identical_rows_is_all_tied(board, metric):
    truth = np.arange(30) % 3
    row = np.where(np.arange(30) < 5, 0, truth)
    result = compare(board(truth, [row, row, row]), metric, seed=0)
    assert (result.statistic == 0).all()
    assert result.rank_low.tolist() == [1, 1, 1]
    assert result.rank_high.tolist() == [3, 3, 3]
    assert result.gap_high.tolist() == [0, 0, 0]
    assert result.tied_with_best.all()


@pytest.mark.parametrize("metric", METRICS)
def test_permuting_the_candidates_permutes_the_outputs(golden_truth, golden_predicted, board, metric):
    families = ["frozen", "scratch", "frozen", "scratch", "scratch"]
    rows = [*golden_predicted, golden_predicted[2, :2]]
    order = [3, 1, 4, 0, 2]
    here = compare(board(golden_truth, rows, families=families), metric, seed=7)
    there = compare(
        board(golden_truth, [rows[k] for k in order], families=[families[k] for k in order]), metric, seed=7
    )
    assert here.critical_value == there.critical_value
    for name in ("lead", "standard_error", "statistic", "surely_better"):
        assert np.array_equal(getattr(there, name), getattr(here, name)[np.ix_(order, order)]), name
    for name in ("rank_low", "rank_high", "tied_with_best", "gap_low", "gap_high"):
        assert np.array_equal(getattr(there, name), getattr(here, name)[order]), name
    for field in dataclasses.fields(Estimates):
        if field.name != "seed_scores":
            moved = getattr(here.estimates, field.name)[order]
            assert np.array_equal(getattr(there.estimates, field.name), moved, equal_nan=True), field.name


def test_the_same_seed_gives_the_same_numbers_and_another_seed_another_draw(golden_board):
    values = [compare(golden_board, "macro_f1", seed=seed).critical_value for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize("metric", METRICS)
def test_a_single_candidate_is_alone_on_rank_1(board, metric):
    truth = np.arange(30) % 3
    result = compare(board(truth, [np.where(truth == 2, 0, truth)]), metric, seed=0)
    assert (result.rank_low[0], result.rank_high[0], result.tied_with_best[0]) == (1, 1, True)
    assert np.isnan(result.critical_value)
    assert result.gap_high[0] == 0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("groups", [1, 2])
def test_one_or_two_groups_tell_nothing_apart(board, metric, groups):
    truth = np.arange(40) % 2
    result = compare(
        board(truth, [truth, np.where(np.arange(40) < 30, 1 - truth, truth)], groups=np.arange(40) % groups),
        metric,
        seed=0,
    )
    assert not result.surely_better.any()
    assert result.tied_with_best.all()


def test_one_image_per_class_can_still_be_ranked(board):
    truth = np.arange(40)
    poor = np.where(truth < 20, (truth + 1) % 40, truth)
    for metric in METRICS:
        result = compare(board(truth, [poor, truth], class_count=41), metric, seed=0)
        assert result.rank_low.tolist() == [2, 1], metric


def probability_board(confidences):
    truth = np.arange(60) % 2
    jitter = 0.05 * np.sin(np.arange(60))
    rows = []
    for confidence in confidences:
        p = np.clip(confidence + jitter, 0.01, 0.99)[:, None]
        rows.append(("frozen", np.where(np.eye(2, dtype=bool)[truth], p, 1 - p)[None]))
    return Outcomes.from_probabilities(truth, np.arange(60), 2, rows)


def test_a_lower_log_loss_leads():
    result = compare(probability_board([0.6, 0.9]), "log_loss", seed=0)
    assert result.lead[1, 0] > 0
    assert result.rank_low.tolist() == [2, 1]
    assert result.estimates.score[0] > result.estimates.score[1] > 0
    assert result.lead[1, 0] == pytest.approx(result.estimates.score[0] - result.estimates.score[1])


def test_the_lead_and_its_error_are_those_of_paired_differences(golden_truth, golden_predicted, board):
    result = compare(board(golden_truth, [row[:1] for row in golden_predicted]), "accuracy", seed=0)
    right = (golden_predicted[:, 0] == golden_truth).astype(float)
    difference = right[0] - right[3]
    assert result.lead[0, 3] == pytest.approx(difference.mean())
    assert result.standard_error[0, 3] == pytest.approx(np.sqrt(np.sum(difference**2)) / 90)


def test_the_critical_value_of_two_rows_is_that_of_a_binomial(board):
    truth = np.zeros(400, dtype=int)
    first, second = truth.copy(), truth.copy()
    first[:50], second[50:100] = 1, 1
    result = compare(board(truth, [first, second]), "accuracy", seed=0, draws=100_000)
    wins = stats.binom.ppf(0.975, 100, 0.5)
    assert result.critical_value == pytest.approx((2 * wins - 100) / 10, abs=0.21)


def test_step_down_finds_at_least_what_the_first_step_finds(golden_board):
    for metric in METRICS:
        result = compare(golden_board, metric, seed=0)
        first = result.statistic > result.critical_value
        assert (result.surely_better | ~first).all()
        assert not (result.surely_better & result.surely_better.T).any()


def wrong_on(images, *ranges):
    row = np.zeros(images, dtype=int)
    for start, stop in ranges:
        row[start:stop] = 1
    return row


def test_rows_far_behind_do_not_hide_who_is_best(board):
    truth = np.zeros(300, dtype=int)
    far = [wrong_on(300, (100, 160 + 20 * k)) for k in range(5)]
    second = wrong_on(300, (0, 4), (10, 24))
    outcomes = board(truth, [wrong_on(300, (0, 4), (30, 34)), second, *far])
    result = compare(outcomes, "accuracy", seed=0)
    pair = compare(outcomes.reordered([0, 1]), "accuracy", seed=0)
    assert pair.critical_value < result.statistic[0, 1] < result.critical_value
    assert result.tied_with_best.tolist() == [True] + [False] * 6


def test_ranks_gain_from_pairs_that_are_settled(board):
    truth = np.zeros(300, dtype=int)
    far = [wrong_on(300, (100, 160 + 20 * k)) for k in range(5)]
    found_later = 0
    for losses in range(10, 26):
        outcomes = board(truth, [wrong_on(300, (30, 34)), wrong_on(300, (40, 40 + losses)), *far])
        result = compare(outcomes, "accuracy", seed=0)
        found_later += bool(result.surely_better[0, 1] and result.statistic[0, 1] <= result.critical_value)
    assert found_later


def test_the_gap_to_the_best_holds_the_observed_gap(golden_board):
    for metric in METRICS:
        result = compare(golden_board, metric, seed=0)
        observed = result.lead.max(axis=0)
        assert (result.gap_low <= observed).all()
        assert (observed <= result.gap_high).all()
        reach = result.critical_value * result.standard_error
        assert result.gap_low[3] == pytest.approx((result.lead - reach)[:, 3].max())


def test_ranks_of_one_seed_are_tighter_than_those_of_seeds_that_disagree(board):
    generator = np.random.default_rng(6)
    truth = np.arange(600) % 2

    def row(rates):
        return np.array([np.where(generator.random(600) < rate, truth, 1 - truth) for rate in rates])

    good, poor = row((0.75, 0.9, 0.99)), row((0.6, 0.75, 0.9))
    outcomes = board(truth, [good, poor])
    assert not compare(outcomes, "accuracy", seed=0).surely_better.any()
    assert compare(board(truth, [good[1:2], poor[1:2]]), "accuracy", seed=0).surely_better[0, 1]


def test_the_gap_to_the_best_is_at_most_everything(golden_truth, golden_predicted, board):
    wild = np.concatenate([golden_predicted[:1], golden_predicted[3:]])
    wild[1, 0] = (golden_truth + 1) % 3
    result = compare(board(golden_truth, list(wild)), "accuracy", seed=0)
    assert (result.lead + result.critical_value * result.standard_error).max() > 1
    assert result.gap_high.max() == 1
    assert compare(board(golden_truth, list(wild)), "log_loss", seed=0).gap_high.max() > 1
