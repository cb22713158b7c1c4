from __future__ import annotations

import numpy as np
import pytest

from benchmark.statistics import estimate
from benchmark.statistics.variance import variance_parts


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1"])
def test_the_golden_variance_parts_are_reproduced(golden_board, golden, metric):
    parts = variance_parts(golden_board, metric)
    exact = golden[metric]["exact"]
    for found, name in [
        (parts.score, "score"),
        (parts.image, "V_img"),
        (parts.image_seed, "V_si"),
        (parts.seed_excess, "seed2"),
        (parts.seed, "V_seed"),
        (parts.df, "df"),
    ]:
        assert found == pytest.approx(exact[name], rel=1e-9, abs=1e-15), name


def test_accuracys_image_variance_is_the_stratified_one(board):
    truth = np.repeat([0, 1], [40, 20])
    predicted = truth.copy()
    predicted[:10] = 1
    predicted[40:45] = 0
    variance = variance_parts(board(truth, [predicted]), "accuracy").image[0]
    by_class = [(40, 0.75), (20, 0.75)]
    assert variance == pytest.approx(sum(n * n * p * (1 - p) / (n - 1) for n, p in by_class) / 60**2)


def test_log_losss_image_variance_is_that_of_a_mean(board):
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 50)
    outcomes = board(truth, [generator.integers(0, 3, 50)])
    values = outcomes.candidates[0].log_probability[0]
    assert variance_parts(outcomes, "log_loss").image[0] == pytest.approx(values.var(ddof=1) / 50)


def test_one_seed_has_no_seed_variance_and_says_so(golden_truth, golden_predicted, board):
    estimates = estimate(board(golden_truth, [row[:1] for row in golden_predicted]), "accuracy")
    assert estimates.seeds.tolist() == [1, 1, 1, 1]
    assert (estimates.seed_variance == 0).all()
    for unknown in (estimates.seed_sd, estimates.image_seed_variance, estimates.seed_excess, estimates.seed_df):
        assert np.isnan(unknown).all()
    assert np.isfinite(estimates.low).all()


def test_candidates_use_their_own_number_of_seeds(golden_truth, golden_predicted, board):
    a, b, c, d = golden_predicted
    mixed = variance_parts(board(golden_truth, [a, b[:2], c[:1], d]), "accuracy")
    full = variance_parts(board(golden_truth, [a, b, c, d]), "accuracy")
    assert mixed.score[0] == full.score[0]
    assert mixed.image[[0, 3]] == pytest.approx(full.image[[0, 3]])
    assert mixed.score[1] == pytest.approx((b[:2] == golden_truth).mean())
    assert mixed.seed[2] == 0
    assert np.isnan(mixed.df[2])
    assert [scores.size for scores in mixed.seed_scores] == [3, 2, 1, 3]


def noisy_seeds(generator, truth, rates):
    return np.array([np.where(generator.random(truth.size) < rate, truth, 1 - truth) for rate in rates])


def test_seed_variance_is_raised_to_its_familys_average_only(board):
    generator = np.random.default_rng(1)
    truth = np.arange(400) % 2
    spread = noisy_seeds(generator, truth, (0.6, 0.75, 0.9))
    steady = np.repeat(noisy_seeds(generator, truth, (0.8,)), 3, axis=0)
    together = variance_parts(board(truth, [spread, steady], families=["frozen", "frozen"]), "accuracy")
    apart = variance_parts(board(truth, [spread, steady], families=["frozen", "scratch"]), "accuracy")
    assert apart.seed[1] == 0
    assert together.seed[1] == pytest.approx(together.seed_excess.mean() / 3)
    assert together.seed[0] == apart.seed[0] == pytest.approx(together.seed_excess[0] / 3)
    share = together.seed_excess.mean() / np.mean([scores.var(ddof=1) for scores in together.seed_scores])
    assert together.df == pytest.approx([max(2, 4 * share**2)] * 2)


def test_classes_of_one_image_are_centred_together(board):
    truth = np.arange(20)
    predicted = np.where(truth < 4, (truth + 1) % 20, truth)
    for metric in ("accuracy", "balanced_accuracy"):
        assert variance_parts(board(truth, [predicted]), metric).image[0] == pytest.approx(0.8 * 0.2 / 19)


def test_a_single_class_of_one_image_adds_nothing(board):
    truth = np.array([0] * 10 + [1])
    predicted = np.array([0] * 8 + [1, 1] + [1])
    assert variance_parts(board(truth, [predicted]), "accuracy").image[0] == pytest.approx(
        10**2 * 0.8 * 0.2 / 9 / 11**2
    )


def test_copies_in_one_group_add_no_information(board):
    generator = np.random.default_rng(2)
    truth = np.repeat([0, 1, 2], 20)
    predicted = np.where(generator.random((3, 60)) < 0.7, truth, (truth + 1) % 3)
    one = variance_parts(board(truth, [predicted]), "accuracy")
    doubled = variance_parts(
        board(np.tile(truth, 2), [np.tile(predicted, 2)], groups=np.tile(np.arange(60), 2)), "accuracy"
    )
    small_sample = (40 / 39) / (20 / 19)
    assert doubled.image == pytest.approx(one.image * small_sample)
    assert doubled.image_seed == pytest.approx(one.image_seed * small_sample)
