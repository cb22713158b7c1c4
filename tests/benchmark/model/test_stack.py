import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import log_softmax

from benchmark.model import heads, optimizers, stack, stacked_learner
from benchmark.model.losses import Objective
from benchmark.model.seeds import derive
from benchmark.model.stack import Member, Shared, Trained, Views
from benchmark.model.stacked_learner import Predicted
from benchmark.model.training import Diverged, Row
from benchmark.spec import RunSpec
from benchmark.weighting import epoch_order

import tensorflow as tf  # isort: skip

EPOCHS = 3
HIDDEN = {"units": [9, 6], "input_batch_norm": True, "batch_norm": True, "hidden_dropout": 0.3, "dropout": 0.2}
Make = Callable[..., Member]


def features(classes: int = 3, pictures: int = 70, width: int = 19) -> Shared:
    """Noise with the class added to one column; 53 training pictures, the others validate."""
    random = np.random.default_rng(classes)
    labels = random.permutation(np.arange(pictures) % classes)
    activations = random.normal(size=(pictures, width)).astype(np.float32)
    activations[np.arange(pictures), labels % width] += 1.5
    rows = random.permutation(pictures)
    return Shared(activations, None, labels, rows[:53], rows[53:], tuple(f"c{place:02}" for place in range(classes)))


def learn(members: list[Member], shared: Shared) -> list[Any]:
    return stack.train(members, shared, lambda place, row: None)


def numbers(result: Trained) -> list[dict[str, float]]:
    """The rows without what the clock says."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in result.rows]


def require_equal(left: Trained, right: Trained) -> None:
    assert numbers(left) == numbers(right)
    assert left.best_epoch == right.best_epoch
    for one, other in zip(left.weights, right.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def make(spec_of: Callable[..., RunSpec], conf_part: Callable[..., dict[str, Any]]) -> Make:
    """A function that makes a member: changes of the head, of the weighting and of the training."""

    def member(seed: int = 0, head: dict[str, Any] | None = None, focal_gamma: float = 0.0, **training: Any) -> Member:
        weights = training.pop("class_weights", (1.0,) * 3)
        spec = spec_of(
            "mobilenetv3small",
            32,
            seed,
            finetune="frozen",
            head=conf_part("head", "linear", **{"dropout": 0.0, **(head or {})}),
            weighting=conf_part("weighting", "none", focal_gamma=focal_gamma),
            **{"epochs": EPOCHS, "batch_size": 8, "learning_rate": 0.01, **training},
        )
        return Member(spec, tuple(weights))

    return member


def crowd(make: Make, classes: int, head: dict[str, Any], **training: Any) -> list[Member]:
    """Twelve members that differ in all in which members may."""
    random = np.random.default_rng(0)
    return [
        make(
            seed=place,
            head={**head, "dropout": (0.0, 0.2, 0.5)[place % 3]},
            focal_gamma=(0.0, 2.0)[place % 2],
            class_weights=random.uniform(0.5, 2, classes).tolist(),
            learning_rate=0.01 * (1 + place % 4),
            label_smoothing=(0.0, 0.1)[place // 6],
            **training,
        )
        for place in range(12)
    ]


@pytest.mark.parametrize(
    ("classes", "head", "training"),
    [
        (2, {}, {"optimizer": "adam", "batch_size": 7}),
        (5, {}, {"optimizer": "adamw", "batch_size": 8}),
        (10, {}, {"optimizer": "sgd", "batch_size": 13}),
        (17, {}, {"optimizer": "rmsprop", "batch_size": 32}),
        (17, HIDDEN, {"optimizer": "adam", "batch_size": 7}),
        (3, {"units": [33]}, {"optimizer": "sgd", "momentum": 0.0, "batch_size": 53}),
    ],
)
def test_a_member_gets_the_same_bits_in_every_company(
    make: Make, classes: int, head: dict[str, Any], training: dict[str, Any]
) -> None:
    shared, members = features(classes), crowd(make, classes, head, **training)
    everyone = learn(members, shared)
    for places in ([0], [4], [5, 1], [2, 0, 7], np.random.default_rng(1).permutation(12).tolist()):
        found = learn([members[place] for place in places], shared)
        for place, result in zip(places, found, strict=True):
            require_equal(result, everyone[place])


def keras_head(member: Member, shared: Shared) -> keras.Model:
    inputs = keras.Input((shared.activations.shape[1],))
    layers = heads.layers(member.spec.head, len(shared.classes), member.spec.seed)
    return keras.Model(inputs, heads.apply(layers, inputs))


def keras_weights(member: Member, shared: Shared) -> list[list[np.ndarray]]:
    """The Keras head's weights after each epoch, trained a batch at a time by Keras's optimizer."""
    spec, training = member.spec, member.spec.training
    model = keras_head(member, shared)
    optimizer = optimizers.build(training, training.learning_rate)
    objective = Objective(member.class_weights, spec.weighting.focal_gamma, training.label_smoothing)
    labels, found = shared.labels[shared.train], []
    for epoch in range(1, training.epochs + 1):
        order = epoch_order(spec.weighting, labels, np.random.default_rng(derive(spec.seed, "order", epoch)))
        for start in range(0, len(order), training.batch_size):
            rows = order[start : start + training.batch_size]
            targets = tf.one_hot(labels[rows], len(shared.classes))
            with tf.GradientTape() as tape:
                logits = model(shared.activations[shared.train[rows]], training=True)
                loss = tf.reduce_mean(objective.losses(targets, logits).minimised)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        found.append(model.get_weights())
    return found


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_a_linear_head_gets_the_weights_of_kerass_own_loop(make: Make, optimizer: str) -> None:
    shared = features()
    one = make(seed=3, optimizer=optimizer, class_weights=(0.5, 1.0, 2.0), focal_gamma=1.5, label_smoothing=0.1)
    (found,) = learn([one], shared)
    for left, right in zip(found.weights, keras_weights(one, shared)[found.best_epoch - 1], strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_gradient_descent_with_and_without_momentum_is_kerass(make: Make, momentum: float) -> None:
    shared, one = features(), make(optimizer="sgd", momentum=momentum, learning_rate=0.1)
    (found,) = learn([one], shared)
    for left, right in zip(found.weights, keras_weights(one, shared)[found.best_epoch - 1], strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_hidden_layers_and_batch_norm_agree_with_kerass_own_loop(make: Make) -> None:
    shared = features(pictures=600)
    one = make(head={**HIDDEN, "units": [32, 16], "hidden_dropout": 0.0, "dropout": 0.0}, batch_size=9)
    (found,) = learn([one], shared)
    model = keras_head(one, shared)
    model.set_weights(keras_weights(one, shared)[found.best_epoch - 1])
    expected = model.predict(shared.activations[shared.val], verbose=0)
    logits = stack.logits(found.weights, one.spec, Predicted(shared.activations, shared.val))
    assert (logits.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.999
    np.testing.assert_allclose(logits, expected, atol=2e-3)


def test_the_weights_fit_the_keras_head_and_say_the_same_there(make: Make) -> None:
    shared, one = features(), make(head=HIDDEN)
    (found,) = learn([one], shared)
    model = keras_head(one, shared)
    model.set_weights(found.weights)
    logits = stack.logits(found.weights, one.spec, Predicted(shared.activations, np.arange(70)))
    np.testing.assert_allclose(logits, model.predict(shared.activations, verbose=0), atol=1e-5)


def test_the_best_epochs_weights_give_its_validation_loss_to_the_last_bit(make: Make) -> None:
    shared, one = features(), make(head={"dropout": 0.4}, epochs=6, learning_rate=0.2)
    (found,) = learn([one], shared)
    truth = shared.labels[shared.val]
    logits = stack.logits(found.weights, one.spec, Predicted(shared.activations, shared.val))
    losses = [row["val_loss"] for row in found.rows]
    assert found.best_epoch == 1 + int(np.argmin(losses))
    assert -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(truth)), truth].mean() == min(losses)


def test_a_head_starts_from_the_weights_of_the_keras_head(make: Make) -> None:
    shared = features()
    one = make(seed=5, head={"units": [7]}, optimizer="sgd", momentum=0.0, learning_rate=1e-30)
    (found,) = learn([one], shared)
    for left, right in zip(found.weights, keras_head(one, shared).get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-28)


def test_losses_and_accuracy_are_means_over_the_training_pictures(make: Make) -> None:
    shared, weights = features(), (0.5, 1.0, 2.5)
    one = make(optimizer="sgd", momentum=0.0, learning_rate=1e-30, class_weights=weights, epochs=1)
    (found,) = learn([one], shared)
    truth = shared.labels[shared.train]
    logits = keras_head(one, shared).predict(shared.activations[shared.train], verbose=0)
    plain = -log_softmax(logits, axis=1)[np.arange(len(truth)), truth]
    assert found.rows[0]["train_loss"] == pytest.approx(plain.mean(), rel=1e-5)
    assert found.rows[0]["train_loss_weighted"] == pytest.approx((plain * np.array(weights)[truth]).mean(), rel=1e-5)
    assert found.rows[0]["train_accuracy"] == pytest.approx((logits.argmax(axis=1) == truth).mean())


def test_a_member_stops_when_its_own_patience_ends_and_the_others_go_on(make: Make) -> None:
    shared = features()
    steady, wild = make(epochs=12, patience=2, learning_rate=0.003), make(epochs=12, patience=2, learning_rate=3.0)
    alone = learn([steady], shared)[0]
    found = learn([wild, steady], shared)
    assert len(found[0].rows) == found[0].best_epoch + 2 < len(found[1].rows)
    require_equal(found[1], alone)


def test_a_member_that_diverges_does_not_touch_the_others(make: Make) -> None:
    shared = features()
    good, bad = make(seed=1), make(optimizer="sgd", learning_rate=1e38)
    found = learn([bad, good, bad], shared)
    assert isinstance(found[0], Diverged)
    assert "lower training.learning_rate" in str(found[2])
    require_equal(found[1], learn([good], shared)[0])


def test_plateaus_lower_each_members_own_rate(make: Make, conf_part: Callable[..., dict[str, Any]]) -> None:
    schedule = conf_part("schedule", "reduce_on_plateau", patience=1, factor=0.5, minimum=0.0)
    found = learn([make(schedule=schedule, epochs=8, learning_rate=rate) for rate in (2.0, 0.001)], features())
    assert found[0].rows[-1]["learning_rate"] < 2.0
    assert found[1].rows[-1]["learning_rate"] == pytest.approx(0.001)


def test_streaming_in_blocks_changes_no_bit(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    shared, members = features(), [make(head={"dropout": 0.2}), make(head=HIDDEN)]
    expected = learn(members, shared)
    monkeypatch.setattr(stacked_learner, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(stacked_learner, "BLOCK_BYTES", 3 * 8 * 19 * 4)
    for one, other in zip(learn(members, shared), expected, strict=True):
        require_equal(one, other)


class Asked:
    """Activations that note what is asked for, and answer late if they are told to."""

    def __init__(self, values: np.ndarray, delay: float = 0.0) -> None:
        self.shape = values.shape
        self.most = 0
        self._values = values
        self._delay = delay

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        time.sleep(self._delay)
        self.most = max(self.most, len(rows))
        return self._values[rows]


def test_large_activations_are_never_gathered_whole(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    shared, member = features(), make(head={"dropout": 0.2})
    (expected,) = learn([member], shared)
    monkeypatch.setattr(stacked_learner, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(stacked_learner, "BLOCK_BYTES", 8 * 19 * 4)
    asked = Asked(shared.activations)
    (found,) = learn([member], shared._replace(activations=asked))
    assert asked.most == 8 < len(shared.val) < len(shared.train)
    for left, right in zip(found.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(left, right)
    assert found.rows[-1]["val_loss"] == pytest.approx(expected.rows[-1]["val_loss"], abs=1e-6)


@pytest.mark.parametrize(("width", "rows"), [(19, 4096), (4096, 4096), (8192, 2048), (2**26, 1)])
def test_what_is_predicted_comes_in_4096_rows_or_in_what_a_block_holds(
    width: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(np.broadcast_to(np.float32(0), (5000, width)))
    monkeypatch.setattr(stacked_learner, "RESIDENT_BYTES", 0)
    next(iter(Predicted(asked, np.arange(5000)[: 2 * rows])))
    assert asked.most == rows


def test_the_wait_for_activations_is_measured_for_each_head(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacked_learner, "RESIDENT_BYTES", 0)
    shared = features()
    late = shared._replace(activations=Asked(shared.activations, delay=0.02))
    (found,) = learn([make()], late)
    assert EPOCHS * 0.02 <= found.waited <= found.seconds


def test_views_that_are_all_alike_are_the_plain_pictures(make: Make) -> None:
    plain, member = features(), make(head={"dropout": 0.2})
    activations = np.stack([plain.activations[plain.train]] * 4)
    soft = np.stack([np.eye(3, dtype=np.float32)[plain.labels[plain.train]]] * 4)
    (expected,) = learn([member], plain)
    for targets in (None, soft):
        (found,) = learn([member], plain._replace(views=Views(activations, targets)))
        require_equal(found, expected)


def test_each_epoch_draws_one_view_of_every_picture(make: Make) -> None:
    shared = features(pictures=73)
    # A feature that only view 1 shows, and only in pictures of class 0: without that view it is never learned.
    views = np.zeros((2, 53, 19), np.float32)
    views[1, :, 0] = shared.labels[shared.train] == 0
    still = make(epochs=1, optimizer="sgd", momentum=0.0, learning_rate=1.0, batch_size=53)
    (found,) = learn([still], shared._replace(views=Views(views, None)))
    drawn = np.random.default_rng(derive(0, "views", 1)).integers(0, 2, 53)
    order = epoch_order(still.spec.weighting, np.zeros(53, np.int64), np.random.default_rng(derive(0, "order", 1)))
    shown = views[drawn, order, 0]
    # All logits are the same but where the feature shows, whose gradient is that of the softmax.
    start = keras_head(still, shared).get_weights()[0]
    logits = shown[:, None] * start[0]
    error = np.exp(log_softmax(logits, axis=1)) - np.eye(3)[shared.labels[shared.train][order]]
    np.testing.assert_allclose(found.weights[0][0], start[0] - (shown[:, None] * error).sum(axis=0) / 53, atol=1e-6)
    assert 0 < shown.sum() < views.sum()


def test_soft_targets_are_learned_as_such(make: Make) -> None:
    shared = features()
    halves = np.full((1, 53, 3), 1 / 3, np.float32)
    views = Views(shared.activations[shared.train][None], halves)
    (found,) = learn([make(epochs=60, learning_rate=0.01)], shared._replace(views=views))
    assert found.rows[-1]["train_loss"] == pytest.approx(np.log(3), abs=3e-3)


def test_rows_arrive_in_the_order_of_each_members_epochs(make: Make) -> None:
    told: list[tuple[int, float]] = []

    def listen(place: int, row: Row) -> None:
        told.append((place, row["epoch"]))

    found = stack.train([make(seed=seed) for seed in range(3)], features(), listen)
    assert sorted(told) == [(place, epoch) for place in range(3) for epoch in (1, 2, 3)]
    assert all([epoch for one, epoch in told if one == place] == [1, 2, 3] for place in range(3))
    assert len({result.seconds for result in found if isinstance(result, Trained)}) == 1


def test_what_the_listener_raises_ends_the_stack(make: Make) -> None:
    heard: list[int] = []

    def listen(place: int, row: Row) -> None:
        heard.append(place)
        raise TimeoutError("enough")

    with pytest.raises(TimeoutError, match="enough"):
        stack.train([make(seed=seed, epochs=50) for seed in range(6)], features(), listen)
    assert len(heard) == 1


def test_an_error_in_one_member_is_raised_as_it_is(make: Make) -> None:
    broken = make(class_weights=(1.0, 1.0))
    with pytest.raises(ValueError, match="imensions must be equal"):
        learn([make(epochs=20), broken, make(epochs=20)], features())
