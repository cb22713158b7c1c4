import csv
import io

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support

from benchmark.predictions import Predictions
from benchmark.report.class_report import class_report, classes_csv


def drawn(count: int, classes: int, group_size: int = 1) -> Predictions:
    """Random answers about unequal classes."""
    generator = np.random.default_rng(1)
    truth = np.minimum(generator.geometric(0.4, count) - 1, classes - 1).astype(np.int64)
    logits = generator.normal(0, 1, (count, classes)) + 1.2 * np.eye(classes)[truth]
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    images = np.array([f"{place:064x}" for place in range(count)])
    groups = np.array([f"{place // group_size}" for place in range(count)])
    return Predictions(images, groups, truth, probabilities, tuple(f"c{place}" for place in range(classes)))


def test_the_shares_are_those_of_scikit_learn() -> None:
    predictions = drawn(400, 5)
    report = class_report(predictions)
    precision, recall, f1, support = precision_recall_fscore_support(predictions.truth, predictions.guess)
    assert report.precision.value == pytest.approx(precision)
    assert report.recall.value == pytest.approx(recall)
    assert report.f1.value == pytest.approx(f1)
    assert report.support.tolist() == support.tolist()
    for average, place in zip(("macro", "weighted"), (0, 1), strict=True):
        expected = precision_recall_fscore_support(predictions.truth, predictions.guess, average=average)
        found = report.averages[place]
        assert [found.precision[0], found.recall[0], found.f1[0]] == pytest.approx(expected[:3])


def test_the_intervals_are_those_of_wilson() -> None:
    predictions = drawn(300, 4)
    report = class_report(predictions)
    right = (predictions.guess == predictions.truth) & (predictions.truth == 2)
    expected = stats.binomtest(int(right.sum()), int(report.support[2])).proportion_ci(method="wilson")
    assert (report.recall.low[2], report.recall.high[2]) == pytest.approx((expected.low, expected.high))
    inside = (report.f1.low <= report.f1.value) & (report.f1.value <= report.f1.high)
    assert inside.all()


def test_pictures_of_one_group_count_as_one() -> None:
    alone, grouped = class_report(drawn(300, 3)), class_report(drawn(300, 3, group_size=10))
    assert grouped.recall.value == pytest.approx(alone.recall.value)
    widths = [report.recall.high - report.recall.low for report in (alone, grouped)]
    assert (widths[1] > 2 * widths[0]).all()


def test_a_class_that_is_never_guessed_has_no_precision_and_one_without_pictures_no_recall() -> None:
    truth = np.array([0, 0, 1, 1])
    probabilities = np.tile(np.array([0.7, 0.2, 0.1], np.float32), (4, 1))
    names = np.array(list("abcd"))
    report = class_report(Predictions(names, names, truth, probabilities, ("x", "y", "z")))
    rows = {row["class"]: row for row in csv.DictReader(io.StringIO(classes_csv(report)))}
    assert (rows["y"]["precision"], rows["y"]["recall"], rows["y"]["f1"]) == ("", "0.000000", "0.000000")
    assert (rows["z"]["recall"], rows["z"]["f1"], rows["z"]["support"]) == ("", "", "0")
    assert float(rows["macro average"]["recall"]) == pytest.approx(0.5)
