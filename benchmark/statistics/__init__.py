"""Ranking statistics of a leaderboard that says when it cannot tell: outcomes in, intervals and ranks out (pure)."""

from benchmark.statistics.cautions import cautions
from benchmark.statistics.contrasts import InvalidContrasts
from benchmark.statistics.differences import ContrastIntervals, PairedTest, contrast_intervals, paired_test
from benchmark.statistics.intervals import Estimates, estimate
from benchmark.statistics.outcomes import Answers, InvalidOutcomes, Outcomes, answers_from_probabilities
from benchmark.statistics.power import PairVariance, PowerHint, pair_variance, power_hint, separable_gap
from benchmark.statistics.pseudo_values import METRICS, Metric, UnknownMetric
from benchmark.statistics.ranks import Comparison, compare
from benchmark.statistics.selection import honest_score

__all__ = [
    "METRICS",
    "Answers",
    "Comparison",
    "ContrastIntervals",
    "Estimates",
    "InvalidContrasts",
    "InvalidOutcomes",
    "Metric",
    "Outcomes",
    "PairVariance",
    "PairedTest",
    "PowerHint",
    "UnknownMetric",
    "answers_from_probabilities",
    "cautions",
    "compare",
    "contrast_intervals",
    "estimate",
    "honest_score",
    "pair_variance",
    "paired_test",
    "power_hint",
    "separable_gap",
]
