import time
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from benchmark.model import optimizers, steps
from benchmark.model.augmentation import Augmentation
from benchmark.model.boundary import Split
from benchmark.model.losses import Objective
from benchmark.model.steps import Epoch, Examples, Learner, batches_of
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


def trainer(learner: Learner, inputs: np.ndarray, rows: np.ndarray, targets: np.ndarray, batch: int) -> Epoch:
    compiled = steps.trainer(learner, batches_of(inputs), batches_of(targets), batch)
    return compiled.on(Examples(inputs, rows, targets))


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


@pytest.mark.parametrize("block_bytes", [1, 8 * 24, 3 * 8 * 24, 2**20])
def test_the_size_of_blocks_changes_no_bit(block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for resident, block in ((2**30, 2**26), (0, block_bytes)):
        monkeypatch.setattr(steps, "RESIDENT_BYTES", resident)
        monkeypatch.setattr(steps, "BLOCK_BYTES", block)
        model = linear_model()
        objective = Objective(WEIGHTS, 2.0, 0.1)
        train = trainer(learner(model, objective, keras.optimizers.Adam()), INPUTS, np.arange(22), LABELS, 4)
        totals = [
            train(np.random.default_rng(seed).permutation(22), np.linspace(0.01, 0.02, 6, dtype=np.float32))[:3]
            for seed in range(3)
        ]
        found.append((totals, model.get_weights()))
    assert found[0][0] == found[1][0]
    for first, second in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_array_equal(first, second)


def test_no_picture_is_lost_between_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "BLOCK_BYTES", 5 * 4 * 24)
    order = np.random.default_rng(0).permutation(103)
    blocks = list(steps._blocks(order, 4, 24))
    assert [len(block) for block in blocks] == [4, 8, 16, 20, 20, 20, 15]
    np.testing.assert_array_equal(np.concatenate(blocks), order)


def test_the_wait_for_a_slow_disk_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(np.ndarray):
        def __getitem__(self, place: Any) -> Any:
            time.sleep(0.3)
            return np.asarray(self)[place]

    monkeypatch.setattr(steps, "RESIDENT_BYTES", 0)
    learns = learner(linear_model(), Objective(WEIGHTS, 0.0, 0.0), keras.optimizers.SGD(RATE))
    totals = trainer(learns, INPUTS.view(Slow), np.arange(22), LABELS, 22)(np.arange(22), np.full(1, RATE, np.float32))
    assert 0.15 < totals.waited < 10


def test_targets_may_be_shares_of_classes(feeding: str) -> None:
    shares = np.random.default_rng(3).dirichlet([1, 1, 1], 22).astype(np.float32)
    model = linear_model()
    logits = INPUTS @ model.get_weights()[0]
    learns = learner(model, Objective(WEIGHTS, 0.0, 0.0), keras.optimizers.SGD(0.0))
    totals = trainer(learns, INPUTS, np.arange(22), shares, 8)(np.arange(22), np.zeros(3, np.float32))
    plain = -(shares * log_softmax(logits, axis=1)).sum(axis=1)
    assert totals.plain == pytest.approx(plain.mean(), rel=1e-5)
    assert totals.minimised == pytest.approx((plain * (shares @ np.array(WEIGHTS))).mean(), rel=1e-5)


def test_predictions_come_in_the_order_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "predicted_batch", lambda inputs: 5)
    model = linear_model()
    rows = np.array([3, 1, 20, 7, 8, 9, 2])
    expected = INPUTS[rows] @ model.get_weights()[0]
    np.testing.assert_allclose(
        steps.predictor(Split(None, model), batches_of(INPUTS)).on(INPUTS)(rows), expected, atol=1e-5
    )


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
