import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss

from benchmark.model.losses import Objective

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 3, (12, 4)).astype(np.float32)
LABELS = RANDOM.integers(0, 4, 12)
HARD = np.eye(4, dtype=np.float32)[LABELS]
SOFT = RANDOM.dirichlet(np.ones(4), 12).astype(np.float32)
WEIGHTS = (0.5, 1.0, 2.0, 0.25)


def losses(targets: np.ndarray, objective: Objective) -> tuple[np.ndarray, np.ndarray]:
    plain, minimised = objective.losses(tf.constant(targets), tf.constant(LOGITS))
    return plain.numpy(), minimised.numpy()


def test_the_plain_loss_is_cross_entropy_whatever_is_minimised() -> None:
    plain, _ = losses(HARD, Objective(WEIGHTS, 2.0, 0.1))
    assert plain.mean() == pytest.approx(
        log_loss(LABELS, softmax(LOGITS.astype(float), axis=1), labels=range(4)), rel=1e-5
    )


def test_without_weights_focus_and_smoothing_both_losses_are_the_same() -> None:
    plain, minimised = losses(SOFT, Objective((1.0,) * 4, 0.0, 0.0))
    np.testing.assert_allclose(plain, minimised, rtol=1e-6)


def test_a_mixed_picture_weighs_the_mean_of_its_classes_weights() -> None:
    plain, minimised = losses(SOFT, Objective(WEIGHTS, 0.0, 0.0))
    np.testing.assert_allclose(minimised, plain * (SOFT @ WEIGHTS), rtol=1e-5)


def test_the_focal_loss_follows_the_published_formula() -> None:
    _, minimised = losses(HARD, Objective((1.0,) * 4, 2.0, 0.0))
    truth = softmax(LOGITS.astype(float), axis=1)[np.arange(12), LABELS]
    np.testing.assert_allclose(minimised, -((1 - truth) ** 2) * np.log(truth), rtol=1e-4, atol=1e-7)


def test_smoothing_spreads_its_share_over_all_classes() -> None:
    _, minimised = losses(HARD, Objective((1.0,) * 4, 0.0, 0.2))
    smooth = HARD * 0.8 + 0.05
    np.testing.assert_allclose(minimised, -(smooth * log_softmax(LOGITS, axis=1)).sum(axis=1), rtol=1e-5)


def test_the_gradient_of_a_certain_picture_is_finite_for_every_gamma() -> None:
    for gamma in (0.0, 0.5, 2.0):
        logits = tf.Variable([[80.0, 0.0], [0.0, 80.0]])
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(Objective((1.0, 1.0), gamma, 0.0).losses(tf.eye(2), logits).minimised)
        assert np.isfinite(tape.gradient(loss, logits).numpy()).all()
