import numpy as np
import pytest

from benchmark.metrics import accuracy, ece
from benchmark.predictions import Predictions
from benchmark.report.abstention import coverage, reliability, thresholds


def answers(confidence: list[float], right: list[int]) -> Predictions:
    """Two classes; every picture is of the first."""
    sure, first = np.array(confidence), np.array(right) == 1
    probabilities = np.where(first, sure, 1 - sure)
    images = np.array([str(place) for place in range(len(sure))])
    both = np.stack([probabilities, 1 - probabilities], axis=1).astype(np.float32)
    return Predictions(images, images, np.zeros(len(sure), np.int64), both, ("a", "b"))


def many() -> Predictions:
    generator = np.random.default_rng(3)
    sure = generator.uniform(0.5, 1, 500)
    return answers(sure.tolist(), (generator.random(500) < sure**2).astype(int).tolist())


def test_the_bins_add_up_to_the_expected_calibration_error() -> None:
    predictions = many()
    bins = reliability(predictions)
    error = np.sum(np.abs(bins.accuracy - bins.confidence) * bins.pictures) / 500
    assert error == pytest.approx(ece(predictions))
    assert ((bins.low <= bins.accuracy) & (bins.accuracy <= bins.high)).all()


def test_with_every_answer_counted_coverage_is_whole_and_accuracy_the_metrics() -> None:
    predictions = many()
    curve = coverage(predictions)
    assert curve.coverage[0] == 1
    assert curve.accuracy[0] == pytest.approx(accuracy(predictions))
    assert (np.diff(curve.coverage) <= 0).all()


def test_the_threshold_is_the_lowest_that_reaches_the_target_on_validation() -> None:
    validation = answers([0.95] * 8 + [0.9, 0.9, 0.8, 0.8], [1] * 10 + [0, 0])
    test = answers([0.99, 0.92, 0.91, 0.7], [1, 0, 1, 1])
    found = thresholds(validation, test)
    assert [one.target for one in found] == [0.9, 0.95, 0.99]
    chosen = found[0].found
    assert chosen is not None
    assert chosen.threshold == pytest.approx(0.9)
    assert chosen.pictures == 10
    assert (chosen.coverage, chosen.accuracy) == pytest.approx((0.75, 2 / 3))


def test_a_threshold_needs_so_many_validation_pictures_that_one_may_be_wrong() -> None:
    for count, reached in ((9, 0), (10, 1), (19, 1), (20, 2), (99, 2), (100, 3)):
        sure = answers([0.9] * count, [1] * count)
        found = thresholds(sure, sure)
        assert [one.needed for one in found] == [10, 20, 100]
        assert sum(one.found is not None for one in found) == reached, count


def test_a_target_out_of_reach_has_no_threshold_not_even_within_equal_confidences() -> None:
    half = answers([0.8, 0.8], [1, 0])
    assert [one.found for one in thresholds(half, half)] == [None] * 3
    mixed = answers([0.8] * 40, [1, 0] * 20)
    assert [one.found for one in thresholds(mixed, mixed)] == [None] * 3
