"""Calibration intervals: they cover, they know about groups and seeds, and they cost little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmark.board.calibration import calibration_error, calibration_intervals
from benchmark.metrics import ece
from benchmark.predictions import Predictions

CONFIDENCES = np.array([0.62, 0.75, 0.9])
RIGHT = np.array([0.55, 0.75, 0.8])
TRUE_ERROR = float(np.abs(CONFIDENCES - RIGHT).mean())


def drawn(generator: np.random.Generator, count: int, copies: int = 1) -> Predictions:
    """Pictures of two classes whose confidence is one of three, each right as often as RIGHT says."""
    level = np.repeat(generator.integers(0, 3, count), copies)
    right = np.repeat(generator.random(count), copies) < RIGHT[level]
    truth = np.repeat(generator.integers(0, 2, count), copies)
    probabilities = np.empty((len(truth), 2), np.float32)
    rows = np.arange(len(truth))
    guess = np.where(right, truth, 1 - truth)
    probabilities[rows, guess] = CONFIDENCES[level]
    probabilities[rows, 1 - guess] = 1 - probabilities[rows, guess]
    names = np.arange(len(truth)).astype(str)
    return Predictions(names, np.repeat(np.arange(count), copies).astype(str), truth, probabilities, ("a", "b"))


@pytest.mark.parametrize("copies", [1, 3])
def test_the_interval_covers_the_true_error_in_at_least_95_percent(copies: int) -> None:
    generator = np.random.Generator(np.random.PCG64(3))
    covered = 0
    for _ in range(200):
        (interval,) = calibration_intervals([calibration_error([drawn(generator, 150, copies)])], ["scratch"])
        covered += interval.low <= TRUE_ERROR <= interval.high
    assert covered >= 184  # of 200 at a rate of .95 fewer are found in 3 % of trials


def test_the_score_is_the_mean_of_the_seeds_errors() -> None:
    generator = np.random.Generator(np.random.PCG64(4))
    seeds = [drawn(generator, 200) for _ in range(3)]
    (interval,) = calibration_intervals([calibration_error(seeds)], ["scratch"])
    assert interval.score == pytest.approx(np.mean([ece(one) for one in seeds]))
    assert 0 <= interval.low < interval.score < interval.high <= 1


def test_copies_of_pictures_do_not_narrow_the_interval() -> None:
    single = drawn(np.random.Generator(np.random.PCG64(5)), 200)
    tripled = drawn(np.random.Generator(np.random.PCG64(5)), 200, copies=3)
    assert calibration_error([tripled]).reach == pytest.approx(calibration_error([single]).reach, rel=1e-6)


def test_both_ways_of_drawing_errors_agree() -> None:
    generator = np.random.Generator(np.random.PCG64(6))
    few = [drawn(generator, 40) for _ in range(12)]  # 36 used bins: fewer than the 40 groups
    many = [*few, *few]  # 72 used bins: more than the groups, but the same mean error
    assert calibration_error(many).reach == pytest.approx(calibration_error(few).reach, rel=0.1)


def test_one_group_says_nothing() -> None:
    one = drawn(np.random.Generator(np.random.PCG64(7)), 1, copies=20)
    (interval,) = calibration_intervals([calibration_error([one])], ["scratch"])
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_seeds_of_the_family_widen_the_interval_of_a_candidate_whose_own_agree() -> None:
    generator = np.random.Generator(np.random.PCG64(8))
    calm = calibration_error([drawn(generator, 300)] * 2)
    sober = drawn(generator, 300)
    sure = replace(sober, probabilities=np.where(sober.probabilities > 0.5, 0.99, 0.01).astype(np.float32))
    wild = calibration_error([sober, sure])
    alone = calibration_intervals([calm], ["scratch"])[0]
    together = calibration_intervals([calm, wild], ["scratch", "scratch"])[0]
    apart = calibration_intervals([calm, wild], ["scratch", "frozen"])[0]
    assert together.high > alone.high
    assert apart == alone
