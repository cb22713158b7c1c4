from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import Outcomes, UnknownMetric, cautions


def test_a_board_with_enough_of_everything_needs_no_caution(golden_board):
    assert cautions(golden_board, "accuracy") == ()


def test_one_seed_speaks_of_these_weights(golden_truth, golden_predicted, board):
    sentences = cautions(board(golden_truth, [golden_predicted[0], golden_predicted[1, :1]]), "accuracy")
    assert len(sentences) == 1
    assert "not to the recipe" in sentences[0]


def test_two_seeds_say_little_about_their_spread(golden_truth, golden_predicted, board):
    [sentence] = cautions(board(golden_truth, list(golden_predicted[:, :2])), "accuracy")
    assert sentence.startswith("Two seeds: ")
    assert "train 3 seeds or more" in sentence
    [sentence] = cautions(board(golden_truth, [golden_predicted[0], golden_predicted[1, :2]]), "accuracy")
    assert sentence.startswith("Two seeds in 1 of the rows: ")


def test_the_rarest_class_is_counted_in_groups(golden_truth, golden_predicted, board):
    groups = np.concatenate([np.arange(75), 75 + np.arange(15) // 3])
    sentences = cautions(board(golden_truth, list(golden_predicted), groups=groups), "accuracy")
    assert len(sentences) == 1
    assert "5 test groups" in sentences[0]


def test_log_loss_of_few_images_at_high_accuracy_is_doubted():
    truth = np.arange(100) % 2
    probabilities = np.broadcast_to(np.where(np.eye(2, dtype=bool)[truth], 0.999, 0.001), (3, 100, 2))
    outcomes = Outcomes.from_probabilities(truth, np.arange(100), 2, [("frozen", probabilities)])
    assert any("few images" in sentence for sentence in cautions(outcomes, "log_loss"))
    assert cautions(outcomes, "accuracy") == ()


def test_an_unknown_metric_is_refused(golden_board):
    with pytest.raises(UnknownMetric):
        cautions(golden_board, "f1")
