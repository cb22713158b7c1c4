"""A small run of the simulation beside this file, whose 500 boards a cell take minutes."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

SCRIPT = runpy.run_path(str(Path(__file__).with_name("null_boards.py")))


@pytest.fixture(scope="module")
def boards():
    return [SCRIPT["simulate"]((1, number)) for number in range(60)]


def test_a_truly_best_row_is_dropped_in_about_5_percent_of_null_boards(boards):
    most = stats.binom.ppf(0.9999, len(boards), 0.065)
    assert (np.sum([board.dropped for board in boards], axis=0) <= most).all()
    assert (np.sum([board.ranked for board in boards], axis=0) <= most).all()


def test_intervals_cover_the_truth(boards):
    assert (np.mean([board.covered for board in boards], axis=0) > 0.9).all()


def test_better_rows_are_found(boards):
    assert np.mean([board.found for board in boards]) > np.mean([board.mcnemar_found for board in boards])


def test_the_truth_is_what_a_large_test_set_shows():
    cell = SCRIPT["Cell"](1, 200_000, 1, 3, 0.0, 0.0)
    outcomes = SCRIPT["outcomes"](cell, np.zeros(1), np.random.default_rng(0))
    estimates = SCRIPT["simulate"].__globals__["compare"]
    truth = SCRIPT["true_scores"](cell)
    for metric in SCRIPT["METRICS"]:
        shown = estimates(outcomes, metric, seed=0).estimates
        assert shown.score[0] == pytest.approx(truth[metric], abs=0.005), metric


def test_a_row_outside_what_is_expected_is_reported(boards):
    rows = SCRIPT["table"](boards, SCRIPT["CELLS"][1])
    assert [row.metric for row in rows] == list(SCRIPT["METRICS"])
    good = rows[0]._replace(rank_error=0.05, tied_error=0.05, coverage=0.95, power=(0.9, 0.9))
    assert good.expected()
    assert not good._replace(rank_error=0.2).expected()
    assert not good._replace(coverage=0.8).expected()
    assert not good._replace(power=(0.0, 0.0), mcnemar_power=(0.5, 0.5), mcnemar_error=0.05).expected()
    assert str(good).count("|") == SCRIPT["COLUMNS"] + 1
