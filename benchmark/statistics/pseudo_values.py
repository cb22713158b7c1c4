"""Pseudo-values: numbers, one per image, whose mean is the metric and whose spread is its sampling error."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np

from benchmark.statistics.outcomes import Answers, Floats, Outcomes

Metric = Literal["accuracy", "balanced_accuracy", "macro_f1", "log_loss"]
METRICS: tuple[Metric, ...] = get_args(Metric)


class UnknownMetric(ValueError):
    """A metric the ranking statistics have no pseudo-values for."""


class ClassCounts(NamedTuple):
    """Counts per seed and present class, float64 [S, P]: rightly predicted, and predicted at all."""

    right: Floats
    predicted: Floats


def check_metric(metric: str) -> None:
    """Raises UnknownMetric unless `metric` is one of METRICS."""
    if metric not in METRICS:
        raise UnknownMetric(f"found metric {metric!r}, expected one of {', '.join(METRICS)}; rank by one of these")


def class_counts(outcomes: Outcomes, answers: Answers) -> ClassCounts:
    """Counts of one candidate in the classes that occur in the truth."""
    right = answers.predicted == outcomes.truth
    present = outcomes.present_classes
    rows = range(answers.seeds)
    return ClassCounts(
        np.array([np.bincount(outcomes.truth, right[s], outcomes.class_count)[present] for s in rows]),
        np.array([np.bincount(answers.predicted[s], None, outcomes.class_count)[present] for s in rows], np.float64),
    )


def pseudo_values(outcomes: Outcomes, answers: Answers, metric: Metric) -> Floats:
    """Pseudo-values of one candidate, float64 [S, N]; the mean over images is the metric, higher is better.

    Log loss enters as the mean log-probability, so it is the only one with its sign turned. Balanced accuracy
    and macro-F1 average over the classes that occur in the truth; a prediction of another class is merely wrong.
    The macro-F1 form is its influence function (delta method) around the observed counts.

    Raises UnknownMetric.
    """
    check_metric(metric)
    if metric == "log_loss":
        return answers.log_probability
    right = (answers.predicted == outcomes.truth).astype(np.float64)
    if metric == "accuracy":
        return right
    per_class = outcomes.images / outcomes.class_sizes.size
    if metric == "balanced_accuracy":
        return right * (per_class / outcomes.class_sizes)[outcomes.truth_codes]
    return per_class * _f1_influence(outcomes, answers, right)


def _f1_influence(outcomes: Outcomes, answers: Answers, right: Floats) -> Floats:
    counts = class_counts(outcomes, answers)
    totals = outcomes.class_sizes + counts.predicted
    score = (2 * counts.right / totals).mean(axis=1, keepdims=True)
    slope = np.zeros((answers.seeds, outcomes.class_count))
    slope[:, outcomes.present_classes] = 2 * counts.right / totals**2
    of_truth = slope[:, outcomes.truth]
    of_prediction = np.take_along_axis(slope, answers.predicted.astype(np.int64), axis=1)
    influence = 2 * right / totals[:, outcomes.truth_codes] - of_truth - of_prediction
    return influence + score * (outcomes.class_sizes.size / outcomes.images)
