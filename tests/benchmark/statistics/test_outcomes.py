from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from benchmark.statistics import InvalidOutcomes, Outcomes, answers_from_probabilities

TRUTH = np.array([0, 1, 2, 1])
GOOD = np.full((2, 4, 3), 1 / 3)


def spoiled(value, at=(0, 0, 0)):
    probabilities = GOOD.copy()
    probabilities[at] = value
    return probabilities


@pytest.mark.parametrize(
    ("probabilities", "found", "way_out"),
    [
        (spoiled(np.nan), "NaN or infinity", "diverged"),
        (spoiled(np.inf), "NaN or infinity", "diverged"),
        (spoiled(1.5), "1.5", "softmax"),
        (spoiled(-0.1), "-0.1", "softmax"),
        (spoiled(1 / 3 + 0.0021), "1.0021", "softmax"),
        (GOOD[0], "(4, 3)", "every seed"),
        (GOOD[:, :3], "(2, 3, 3)", "same images"),
        (GOOD[:0], "(0, 4, 3)", "every seed"),
        (np.ones((1, 4, 3), dtype=int), "int64", "softmax"),
    ],
)
def test_probabilities_that_are_none_are_refused_with_a_way_out(probabilities, found, way_out):
    with pytest.raises(InvalidOutcomes, match="candidate 0") as caught:
        Outcomes.from_probabilities(TRUTH, np.arange(4), 3, [("frozen", probabilities)])
    assert found in str(caught.value)
    assert way_out in str(caught.value)
    assert "needed" in str(caught.value)


@pytest.mark.parametrize(
    ("truth", "groups", "found"),
    [
        ([0, 1, 2, 3], range(4), "0 to 3"),
        ([0, -1, 2, 1], range(4), "-1"),
        ([0.0, 1.0, 2.0, 1.0], range(4), "float64"),
        ([[0, 1, 2, 1]], range(4), "(1, 4)"),
        (TRUTH, range(3), "(3,)"),
    ],
)
def test_truth_or_groups_that_do_not_fit_are_refused(truth, groups, found):
    with pytest.raises(InvalidOutcomes) as caught:
        Outcomes.from_probabilities(truth, groups, 3, [("frozen", GOOD)])
    assert found in str(caught.value)


def test_a_board_without_candidates_is_refused():
    with pytest.raises(InvalidOutcomes, match="at least 1"):
        Outcomes.from_probabilities(TRUTH, np.arange(4), 3, [])


def test_answers_to_other_images_are_refused():
    answers = answers_from_probabilities("frozen", GOOD[:, :3], TRUTH[:3], 3)
    with pytest.raises(InvalidOutcomes, match="candidate 0"):
        Outcomes(TRUTH, np.arange(4), 3, (answers,))


def test_a_row_may_miss_1_by_rounding():
    rows = spoiled(1 / 3 + 9e-4).astype(np.float32)
    assert Outcomes.from_probabilities(TRUTH, np.arange(4), 3, [("frozen", rows)]).images == 4


def test_float32_probabilities_are_reduced_in_float64():
    answers = answers_from_probabilities("frozen", GOOD.astype(np.float32), TRUTH, 3)
    assert answers.log_probability.dtype == np.float64
    assert answers.log_probability[0, 0] == np.log(np.float64(np.float32(1 / 3)))


def test_a_tie_goes_to_the_lower_class():
    assert (answers_from_probabilities("frozen", GOOD, TRUTH, 3).predicted == 0).all()


def test_a_probability_of_0_costs_a_finite_loss():
    sure_and_wrong = np.zeros((1, 4, 3))
    sure_and_wrong[..., 0] = 1
    logarithm = answers_from_probabilities("frozen", sure_and_wrong, TRUTH, 3).log_probability
    assert logarithm[0].tolist() == pytest.approx([0, -36.0437, -36.0437, -36.0437], abs=1e-4)


def test_groups_may_carry_any_labels_and_are_summed(board):
    outcomes = board(TRUTH, [TRUTH], groups=["b", "a", "b", "c"])
    assert outcomes.group_count == 3
    assert outcomes.group_sums(np.array([[1.0, 2.0, 4.0, 8.0]])).tolist() == [[2.0, 5.0, 8.0]]


def test_the_arrays_cannot_be_changed_and_the_callers_stay_writeable():
    truth = TRUTH.copy()
    outcomes = Outcomes.from_probabilities(truth, np.arange(4), 3, [("frozen", GOOD)])
    truth[0] = 2
    assert outcomes.truth[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        outcomes.truth[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        outcomes.candidates[0].predicted[0] = 1


def test_only_one_candidates_probabilities_are_held_at_a_time():
    truth = np.arange(500) % 100
    one = 2 * 500 * 100 * 8

    def candidates():
        for _ in range(30):
            yield "frozen", np.full((2, 500, 100), 0.01)

    tracemalloc.start()
    outcomes = Outcomes.from_probabilities(truth, np.arange(500), 100, candidates())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(outcomes.candidates) == 30
    assert peak < 4 * one
