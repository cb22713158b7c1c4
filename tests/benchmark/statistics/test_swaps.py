from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics.contrasts import Pairs
from benchmark.statistics.draws import AllDraws
from benchmark.statistics.swaps import Sampling, SwapDraws, critical_value, p_value, swap_draws
from benchmark.statistics.variance import variance_parts


def drawn(maxima, exact):
    nothing = np.zeros(1)
    return SwapDraws(nothing, nothing, nothing, AllDraws([maxima[:, None]]), exact)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("size", [8, 19, 20, 64, 999, 1024])
def test_a_statistic_is_above_the_critical_value_exactly_when_its_p_is_at_most_5_percent(exact, size):
    maxima = np.random.default_rng(size).permutation(np.arange(size) // 2).astype(float)
    draws = drawn(maxima, exact)
    critical = critical_value(maxima, draws)
    for statistic in np.arange(0, size / 2 + 1, 0.5):
        assert (statistic > critical) == (p_value(statistic, maxima, draws) <= 0.05)


def test_the_95th_of_99_sampled_draws_is_the_critical_value():
    maxima = np.arange(1.0, 100.0)
    assert critical_value(maxima, drawn(maxima, exact=False)) == pytest.approx(95)


def test_few_disagreements_are_enumerated(board):
    truth = np.zeros(30, dtype=int)
    rows = [truth, np.where(np.arange(30) < 5, 1, 0)]
    outcomes = board(truth, rows)
    swaps = swap_draws(outcomes, "accuracy", variance_parts(outcomes, "accuracy"), Pairs(2), Sampling(32, 0))
    every = sorted(sum(signs) / np.sqrt(5) for signs in itertools.product([-1, 1], repeat=5))
    assert swaps.exact
    assert sorted(swaps.draws.values[:, 0]) == pytest.approx(every)
    sampled = swap_draws(outcomes, "accuracy", variance_parts(outcomes, "accuracy"), Pairs(2), Sampling(31, 0))
    assert not sampled.exact
    assert len(sampled.draws.values) == 31


def test_seeds_that_outweigh_the_images_make_a_t_statistic(golden_board):
    two = golden_board.reordered([0, 1])
    parts = variance_parts(two, "accuracy")._replace(seed=np.full(2, 100.0), df=np.full(2, 3.0))
    draws = swap_draws(two, "accuracy", parts, Pairs(2), Sampling(20_000, 0)).draws.values[:, 0]
    assert stats.kstest(draws, stats.t(6).cdf).pvalue > 0.001


def test_rows_that_answered_alike_do_not_raise_the_critical_value_of_the_others(golden_board):
    doubled = golden_board.reordered([0, 1, 2, 3, 0, 1, 2, 3])
    for board, alike in ((golden_board, 0), (doubled, 4)):
        parts = variance_parts(board, "accuracy")
        count = parts.score.size
        noisy = parts._replace(seed=np.full(count, 0.01), df=np.full(count, 1.0))
        swaps = swap_draws(board, "accuracy", noisy, Pairs(count), Sampling(4000, 0))
        silent = ~swaps.draws.values.any(axis=0)
        assert silent.sum() == alike
        assert (swaps.statistic[silent] == 0).all()


def test_images_and_seeds_add_up_in_the_standard_error(golden_board):
    parts = variance_parts(golden_board, "accuracy")
    swaps = swap_draws(golden_board, "accuracy", parts, Pairs(4), Sampling(100, 0))
    difference = parts.group_values[0] - parts.group_values[1]
    variance = np.sum(difference**2) / 90**2 + parts.seed[0] + parts.seed[1]
    assert swaps.standard_error[0] == pytest.approx(np.sqrt(variance))


def test_macro_f1s_variance_is_that_of_its_swaps_but_steadier(golden_board):
    parts = variance_parts(golden_board, "macro_f1")
    errors = [
        swap_draws(golden_board, "macro_f1", parts, Pairs(4), Sampling(2000, seed)).standard_error for seed in range(12)
    ]
    numerators = np.mean(errors, axis=0)
    reference = swap_draws(golden_board, "macro_f1", parts, Pairs(4), Sampling(60_000, 99)).standard_error
    assert numerators == pytest.approx(reference, rel=0.01)
    plain_sampling = 0.5 * np.sqrt(2 / 2000)
    assert (np.std(errors, axis=0) / numerators < plain_sampling / 2).all()
