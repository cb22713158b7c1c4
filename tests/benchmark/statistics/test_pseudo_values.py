from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from benchmark.statistics import METRICS, Outcomes, UnknownMetric, compare, estimate, honest_score
from benchmark.statistics.pseudo_values import pseudo_values


def references(truth, probabilities):
    """The metrics of one seed by scikit-learn, over the classes that occur in the truth."""
    predicted = probabilities.argmax(axis=1)
    present = np.unique(truth)
    balanced = np.mean([accuracy_score(truth[truth == c], predicted[truth == c]) for c in present])
    return {
        "accuracy": accuracy_score(truth, predicted),
        "balanced_accuracy": balanced,
        "macro_f1": f1_score(truth, predicted, labels=present, average="macro"),
        "log_loss": -log_loss(truth, probabilities, labels=np.arange(probabilities.shape[1])),
    }


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("absent", [False, True])
def test_the_mean_of_the_pseudo_values_is_scikit_learns_metric(metric, absent):
    generator = np.random.default_rng(3)
    truth = generator.choice([0, 1, 3] if absent else 4, 70)
    probabilities = generator.dirichlet(np.ones(4) * 0.4, (2, 70))
    outcomes = Outcomes.from_probabilities(truth, np.arange(70), 4, [("frozen", probabilities)])
    values = pseudo_values(outcomes, outcomes.candidates[0], metric)
    expected = [references(truth, seed)[metric] for seed in probabilities]
    assert values.shape == (2, 70)
    assert values.mean(axis=1) == pytest.approx(expected, abs=1e-12, rel=0)
    if metric == "balanced_accuracy" and not absent:
        assert expected[0] == balanced_accuracy_score(truth, probabilities[0].argmax(axis=1))


def test_macro_f1_pseudo_values_are_its_derivative(board):
    generator = np.random.default_rng(4)
    truth = np.repeat([0, 1, 2], [30, 20, 10])
    predicted = np.where(generator.random(60) < 0.7, truth, generator.integers(0, 3, 60))
    outcomes = board(truth, [predicted])
    values = pseudo_values(outcomes, outcomes.candidates[0], "macro_f1")[0]
    step = 1e-6
    for image in (0, 25, 45, 59):
        weights = np.ones(60)
        weights[image] += step
        moved = f1_score(truth, predicted, average="macro", sample_weight=weights)
        slope = (moved - f1_score(truth, predicted, average="macro")) / step
        assert (values[image] - values.mean()) / 60 == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("ask", [estimate, lambda o, m: compare(o, m, seed=0), lambda o, m: honest_score(o, m, seed=0)])
def test_an_unknown_metric_is_refused_by_name(golden_board, ask):
    with pytest.raises(UnknownMetric, match=r"'f1'.*macro_f1"):
        ask(golden_board, "f1")
