from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from benchmark.statistics import METRICS, Outcomes, estimate, honest_score


def test_the_golden_honest_score_is_below_the_raw_one(golden_board):
    honest = honest_score(golden_board, "accuracy", seed=0, draws=4000)
    assert honest == pytest.approx(0.9338, abs=0.002)
    assert honest < 0.937037


def weighted_scores(metric, truth, probabilities, weights):
    """Scores [B, K] of probabilities [K, S, N, C] for image weights [B, N], from weighted confusion matrices."""
    classes = np.eye(probabilities.shape[-1])
    if metric == "log_loss":
        logs = np.log(probabilities[..., np.arange(truth.size), truth])
        return np.einsum("bn,ksn->bk", weights, logs) / weights.sum(axis=1, keepdims=True) / logs.shape[1]
    confusion = np.einsum(
        "bn,nt,ksnp->bkstp", weights, classes[truth], classes[probabilities.argmax(axis=-1)], optimize=True
    )
    of_truth, of_answer = confusion.sum(axis=-1), confusion.sum(axis=-2)
    right = np.einsum("bksii->bksi", confusion)
    if metric == "accuracy":
        return (right.sum(axis=-1) / of_truth.sum(axis=-1)).mean(axis=-1)
    bottom = of_truth if metric == "balanced_accuracy" else (of_truth + of_answer) / 2
    by_class = np.divide(right, bottom, out=np.zeros_like(right), where=of_truth > 0)
    return (by_class.sum(axis=-1) / (of_truth > 0).sum(axis=-1)).mean(axis=-1)


@pytest.fixture
def three_recipes():
    """Truth [24] and probabilities [3, 2, 24, 3], pictures in pairs."""
    generator = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [14, 8, 2])
    return truth, generator.dirichlet([1, 1, 1], (3, 2, 24)) * 0.6 + 0.4 * np.eye(3)[truth]


def test_the_reference_of_the_next_test_is_scikit_learns(three_recipes):
    truth, probabilities = three_recipes
    weights = np.array([np.arange(24) % 3, np.arange(24) % 4 + 0.5])
    for b, k in [(0, 0), (1, 2)]:
        predicted = probabilities[k].argmax(axis=-1)
        w = weights[b]
        expected = {
            "accuracy": [accuracy_score(truth, seed, sample_weight=w) for seed in predicted],
            "balanced_accuracy": [balanced_accuracy_score(truth, seed, sample_weight=w) for seed in predicted],
            "macro_f1": [f1_score(truth, seed, sample_weight=w, average="macro") for seed in predicted],
            "log_loss": [-log_loss(truth, seed, sample_weight=w) for seed in probabilities[k]],
        }
        for metric in METRICS:
            found = weighted_scores(metric, truth, probabilities, weights)[b, k]
            assert found == pytest.approx(np.mean(expected[metric])), metric


@pytest.mark.parametrize("metric", METRICS)
def test_it_scores_the_winner_of_each_bag_on_the_groups_left_out(three_recipes, metric):
    truth, probabilities = three_recipes
    groups = np.arange(24) // 2
    outcomes = Outcomes.from_probabilities(truth, groups, 3, [("frozen", p) for p in probabilities])
    bags = np.random.default_rng(1).multinomial(12, np.ones(12) / 12, 20_000)
    bags = bags[(bags == 0).any(axis=1)][:, groups]
    inside, outside = (
        weighted_scores(metric, truth, probabilities, weights) for weights in (bags.astype(float), bags == 0)
    )
    wins = inside >= inside.max(axis=1, keepdims=True) - 1e-12
    honest = (outside * wins).sum(axis=1) / wins.sum(axis=1)
    found = honest_score(outcomes, metric, seed=0, draws=20_000)
    sign = -1 if metric == "log_loss" else 1
    assert sign * found == pytest.approx(honest.mean(), abs=5 * honest.std() / np.sqrt(20_000))


def test_among_equals_the_raw_best_is_optimistic_and_the_honest_score_is_not():
    generator = np.random.default_rng(2)
    truth = np.zeros(200, dtype=int)
    raw, honest = [], []
    for world in range(40):
        p = np.where(generator.random((20, 1, 200)) < 0.8, 0.9, 0.1)
        outcomes = Outcomes.from_probabilities(
            truth, np.arange(200), 2, [("frozen", np.stack([q, 1 - q], axis=-1)) for q in p]
        )
        raw.append(estimate(outcomes, "accuracy").score.max())
        honest.append(honest_score(outcomes, "accuracy", seed=world, draws=300))
    assert np.mean(raw) > 0.835
    assert np.mean(honest) == pytest.approx(0.8, abs=0.01)


def test_ties_are_shared_by_identical_rows(golden_truth, golden_predicted, board):
    once = honest_score(board(golden_truth, list(golden_predicted)), "macro_f1", seed=0, draws=500)
    twins = honest_score(board(golden_truth, [*golden_predicted, golden_predicted[0]]), "macro_f1", seed=0, draws=500)
    assert twins == pytest.approx(once, abs=1e-12)


def test_the_order_of_the_candidates_does_not_matter(golden_truth, golden_predicted, board):
    for metric in METRICS:
        values = {
            honest_score(board(golden_truth, [golden_predicted[k] for k in order]), metric, seed=5, draws=200)
            for order in ([0, 1, 2, 3], [3, 1, 0, 2])
        }
        assert len(values) == 1


def test_one_candidate_keeps_its_score_since_nothing_was_picked(golden_truth, golden_predicted, board):
    outcomes = board(golden_truth, [golden_predicted[0]])
    for metric in METRICS:
        assert honest_score(outcomes, metric, seed=0) == pytest.approx(estimate(outcomes, metric).score[0])


def test_one_group_leaves_nothing_to_score_on(golden_truth, golden_predicted, board):
    outcomes = board(golden_truth, list(golden_predicted), groups=np.zeros(90))
    assert np.isnan(honest_score(outcomes, "macro_f1", seed=0))
