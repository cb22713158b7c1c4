from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from benchmark.model import optimizers, steps
from benchmark.model.augmentation import Augmentation
from benchmark.model.boundary import Split
from benchmark.model.losses import Objective
from benchmark.model.steps import Learner, predictor, trainer
from benchmark.spec import RunSpec

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(22, 6)).astype(np.float32)
LABELS = RANDOM.integers(0, 3, 22)
WEIGHTS = (0.5, 1.0, 3.0)
RATE = 0.1


class Linear(NamedTuple):
    """Weights and biases of one layer."""

    kernel: np.ndarray
    bias: np.ndarray


def linear_model() -> keras.Model:
    features = keras.Input((6,))
    layer = keras.layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(seed=3))
    return keras.Model(features, layer(features))


def learner(model: keras.Model, objective: Objective, optimizer: keras.optimizers.Optimizer) -> Learner:
    return Learner(Split(None, model), Augmentation(()), objective, optimizer)


def descend(start: Linear, order: np.ndarray, batch: int) -> Linear:
    """Plain gradient descent by hand on the class-weighted cross-entropy."""
    kernel, bias = start
    for place in range(0, len(order), batch):
        rows = order[place : place + batch]
        error = softmax(INPUTS[rows] @ kernel + bias, axis=1) - np.eye(3)[LABELS[rows]]
        error *= np.array(WEIGHTS)[LABELS[rows], None] / len(rows)
        kernel, bias = kernel - RATE * INPUTS[rows].T @ error, bias - RATE * error.sum(axis=0)
    return Linear(kernel, bias)


@pytest.fixture(params=["at once", "streamed"])
def feeding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(steps, "RESIDENT_BYTES", 2**30 if request.param == "at once" else 0)
    return str(request.param)


def test_class_weights_reach_the_gradient_and_the_last_partial_batch_counts(feeding: str) -> None:
    model = linear_model()
    start = Linear(*model.get_weights())
    train = trainer(
        learner(model, Objective(WEIGHTS, 0.0, 0.0), keras.optimizers.SGD(RATE)), INPUTS, np.arange(22), LABELS, 8
    )
    order = np.random.default_rng(5).permutation(22)
    train(order, np.full(3, RATE, np.float32))
    expected = descend(start, order, 8)
    np.testing.assert_allclose(model.get_weights()[0], expected.kernel, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], expected.bias, atol=1e-6)


def test_losses_and_accuracy_are_means_over_all_pictures(feeding: str) -> None:
    model = linear_model()
    logits = INPUTS @ model.get_weights()[0]
    train = trainer(
        learner(model, Objective(WEIGHTS, 0.0, 0.0), keras.optimizers.SGD(0.0)), INPUTS, np.arange(22), LABELS, 8
    )
    totals = train(np.arange(22), np.zeros(3, np.float32))
    plain = -log_softmax(logits, axis=1)[np.arange(22), LABELS]
    assert totals.plain == pytest.approx(plain.mean(), rel=1e-5)
    assert totals.minimised == pytest.approx((plain * np.array(WEIGHTS)[LABELS]).mean(), rel=1e-5)
    assert totals.accuracy == pytest.approx((logits.argmax(axis=1) == LABELS).mean())


def test_every_step_has_its_own_rate(feeding: str) -> None:
    model = linear_model()
    start = model.get_weights()[0]
    train = trainer(
        learner(model, Objective((1.0,) * 3, 0.0, 0.0), keras.optimizers.SGD(0.0)), INPUTS, np.arange(22), LABELS, 11
    )
    train(np.arange(22), np.array([0.0, 0.0], np.float32))
    np.testing.assert_array_equal(model.get_weights()[0], start)
    train(np.arange(22), np.array([0.0, 0.5], np.float32))
    error = softmax(INPUTS[11:] @ start, axis=1) - np.eye(3)[LABELS[11:]]
    np.testing.assert_allclose(model.get_weights()[0], start - 0.5 * INPUTS[11:].T @ error / 11, atol=1e-6)


def test_only_the_given_rows_are_trained_on(feeding: str) -> None:
    poisoned = INPUTS.copy()
    poisoned[10:] = np.nan
    model = linear_model()
    train = trainer(
        learner(model, Objective((1.0,) * 3, 0.0, 0.0), keras.optimizers.SGD(RATE)),
        poisoned,
        np.arange(10),
        LABELS[:10],
        4,
    )
    assert np.isfinite(train(np.arange(10), np.full(3, RATE, np.float32)).plain)
    assert np.isfinite(model.get_weights()[0]).all()


def test_both_ways_of_feeding_give_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for limit in (2**30, 0):
        monkeypatch.setattr(steps, "RESIDENT_BYTES", limit)
        model = linear_model()
        train = trainer(
            learner(model, Objective(WEIGHTS, 2.0, 0.1), keras.optimizers.Adam()), INPUTS, np.arange(22), LABELS, 8
        )
        for seed in range(3):
            train(np.random.default_rng(seed).permutation(22), np.full(3, 0.01, np.float32))
        found.append(model.get_weights()[0])
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_predictions_come_in_the_order_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "predicted_batch", lambda inputs: 5)
    model = linear_model()
    rows = np.array([3, 1, 20, 7, 8, 9, 2])
    expected = INPUTS[rows] @ model.get_weights()[0]
    np.testing.assert_allclose(predictor(Split(None, model), INPUTS)(rows), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_learns(name: str, spec_of: Callable[..., RunSpec]) -> None:
    model, optimizer = linear_model(), optimizers.build(spec_of(optimizer=name).training, 0.02)
    train = trainer(learner(model, Objective((1.0,) * 3, 0.0, 0.0), optimizer), INPUTS, np.arange(22), LABELS, 8)
    losses = [train(np.arange(22), np.full(3, 0.02, np.float32)).plain for _ in range(20)]
    assert losses[-1] < losses[0] - 0.05


def test_half_precision_scales_the_loss_and_learns(spec_of: Callable[..., RunSpec]) -> None:
    optimizer = optimizers.build(spec_of(mixed_precision="mixed_float16").training, 0.02)
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    features = keras.Input((6,))
    hidden = keras.layers.Dense(8, "relu", dtype="mixed_float16")(features)
    model = keras.Model(features, keras.layers.Dense(3, dtype="float32")(hidden))
    train = trainer(learner(model, Objective((1.0,) * 3, 0.0, 0.0), optimizer), INPUTS, np.arange(22), LABELS, 8)
    losses = [train(np.arange(22), np.full(3, 0.02, np.float32)).plain for _ in range(20)]
    assert losses[-1] < losses[0] - 0.05
    assert float(optimizer.learning_rate) == pytest.approx(0.02)
