"""Every metric against scikit-learn on random, imbalanced predictions."""

import numpy as np
import pytest
from sklearn import metrics as reference

from benchmark import metrics
from benchmark.predictions import InvalidPredictions, Predictions


def drawn(seed: int, pictures: int = 400, classes: int = 4) -> Predictions:
    """Random predictions that are right more often than not, with unequal classes."""
    random = np.random.default_rng(seed)
    truth = random.choice(classes, pictures, p=[0.55, 0.25, 0.15, 0.05])
    logits = random.normal(size=(pictures, classes)) + 1.5 * np.eye(classes)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = np.array([f"{index:04d}" for index in range(pictures)])
    return Predictions(names, names, truth, probabilities.astype(np.float32), tuple("abcd"))


def in_float64(probabilities: np.ndarray) -> np.ndarray:
    """The rows with a sum of exactly 1, which scikit-learn insists on."""
    exact = probabilities.astype(np.float64)
    return exact / exact.sum(axis=1, keepdims=True)


REFERENCES = {
    "accuracy": lambda p: reference.accuracy_score(p.truth, p.guess),
    "balanced_accuracy": lambda p: reference.balanced_accuracy_score(p.truth, p.guess),
    "macro_f1": lambda p: reference.f1_score(p.truth, p.guess, average="macro"),
    "log_loss": lambda p: reference.log_loss(p.truth, in_float64(p.probabilities), labels=range(4)),
    "brier": lambda p: float(((p.probabilities - np.eye(4)[p.truth]) ** 2).sum(axis=1).mean()),
    "ece": lambda p: sum(
        abs((p.guess[inside] == p.truth[inside]).mean() - p.confidence[inside].mean()) * inside.mean()
        for low in np.arange(15) / 15
        if (inside := (p.confidence >= low) & (p.confidence < low + 1 / 15)).any()
    ),
}


def test_every_metric_has_a_reference_here() -> None:
    assert set(REFERENCES) == set(metrics.names())


@pytest.mark.parametrize("name", metrics.names())
@pytest.mark.parametrize("seed", range(3))
def test_a_metric_equals_its_reference(name: str, seed: int) -> None:
    predictions = drawn(seed)
    assert metrics.find(name).compute(predictions) == pytest.approx(REFERENCES[name](predictions), abs=1e-6)


@pytest.mark.parametrize("name", metrics.names())
def test_the_direction_of_a_metric_prefers_the_truth_to_a_guess(name: str) -> None:
    guessed = drawn(0)
    perfect = Predictions(
        guessed.images,
        guessed.groups,
        guessed.truth,
        np.eye(4, dtype=np.float32)[guessed.truth],
        guessed.classes,
    )
    one = metrics.find(name)
    assert one.better(one.compute(perfect), one.compute(guessed))


def test_nothing_is_better_than_a_number_that_is_not_one() -> None:
    assert metrics.find("accuracy").better(0.1, float("nan"))
    assert not metrics.find("accuracy").better(float("nan"), 0.1)


def test_recall_of_a_class_without_pictures_is_unknown_not_zero() -> None:
    names = np.array(["a", "b"])
    predictions = Predictions(names, names, np.array([0, 1]), np.eye(3, dtype=np.float32)[[0, 1]], ("x", "y", "z"))
    assert metrics.recall_by_class(predictions).tolist()[:2] == [1.0, 1.0]
    assert np.isnan(metrics.recall_by_class(predictions)[2])
    assert metrics.balanced_accuracy(predictions) == 1.0


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(metrics.UnknownMetric, match="did you mean 'accuracy'"):
        metrics.find("acuracy")


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ([[np.nan, 1.0], [0.5, 0.5]], "NaN"),
        ([[0.9, 0.9], [0.5, 0.5]], "rows off 1"),
        ([[1.5, -0.5], [0.5, 0.5]], r"-0\.5"),
        ([[0.5, 0.5]], "a row for every picture"),
    ],
)
def test_predictions_that_cannot_be_are_refused(probabilities: list[list[float]], message: str) -> None:
    names = np.array(["a", "b"])
    with pytest.raises(InvalidPredictions, match=message):
        Predictions(names, names, np.array([0, 1]), np.array(probabilities, np.float32), ("x", "y"))
