"""Stack: heads on the same activations that differ in seed, weighting, dropout, rate or width, trained together.

What is compiled and what lies on the device is shared; the result of a head is the same, to the last bit, whichever
heads it is trained with.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark import monitors, weighting
from benchmark.model import heads
from benchmark.model.seeds import derive
from benchmark.model.stacked_epochs import inference
from benchmark.model.stacked_layers import head
from benchmark.model.stacked_learner import Examples, Learner
from benchmark.model.training import Best, Course, Diverged, Programme, Row, Validation
from benchmark.spec import RunSpec

PREDICTED_ROWS = 4096
"""Rows in a batch that is only predicted."""

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Views(NamedTuple):
    """Augmented copies of the n training pictures, in the order of `Shared.train`."""

    activations: Floats
    """(V, n, d)."""
    targets: Floats | None
    """(V, n, C) shares of the classes, each row sums to 1; None = every view shows its picture's class."""


class Shared(NamedTuple):
    """What all members of a stack train on."""

    activations: Floats
    """(N, d) of all pictures; an array or a memory map."""
    views: Views | None
    """None = the training pictures are seen as they are."""
    labels: Indices
    """(N,) indices into the classes."""
    train: Indices
    val: Indices
    classes: tuple[str, ...]


class Member(NamedTuple):
    """One head of a stack."""

    spec: RunSpec
    class_weights: tuple[float, ...]


class Trained(NamedTuple):
    """What became of a member."""

    rows: list[Row]
    best_epoch: int
    """Counted from 1."""
    weights: list[Floats]
    """Those of the best epoch, in the order of the Keras head's `set_weights`."""
    seconds: float
    """The stack's wall-clock time, divided evenly between its members."""


class _Stopped(Exception):
    """Another member's caller wants no more epochs."""


def train(members: Sequence[Member], shared: Shared, on_epoch: Callable[[int, Row], None]) -> list[Trained | Diverged]:
    """Every member's result in order; `on_epoch` gets a member's place and each of its rows as soon as it is known.

    As many members learn at a time as TensorFlow may use threads; `on_epoch` is called by one of them at a time.
    """
    begin, examples = time.perf_counter(), _examples(shared)
    validation = _batches(shared.activations[shared.val])
    workers = min(len(members), max(tf.config.threading.get_intra_op_parallelism_threads(), 1))
    lock, stopped = threading.Lock(), threading.Event()

    def learn(place: int) -> Course | Diverged:
        def tell(row: Row) -> None:
            if stopped.is_set():
                raise _Stopped
            row["seconds"] /= workers
            with lock:
                on_epoch(place, row)

        try:
            return _learn(members[place], shared, examples, validation, tell)
        except Diverged as error:
            return error
        except BaseException:
            stopped.set()
            raise

    with ThreadPoolExecutor(workers) as pool:
        try:
            courses = list(pool.map(learn, range(len(members))))
        except BaseException:
            stopped.set()
            raise
    seconds = (time.perf_counter() - begin) / len(members)
    return [one if isinstance(one, Diverged) else _trained(one, seconds) for one in courses]


def logits(weights: Sequence[Floats], spec: RunSpec, activations: Floats) -> Floats:
    """The logits (n, C) of a head with these weights for activations (n, d), as in every epoch's validation."""
    tensors = [tf.constant(weight) for weight in weights]
    return _predict(tensors, spec, _batches(activations))


def _learn(
    member: Member, shared: Shared, examples: Examples, validation: list[tf.Tensor], tell: Callable[[Row], None]
) -> Course:
    """The member's epochs."""
    spec, labels = member.spec, shared.labels[shared.train]
    learner = Learner(spec, member.class_weights, examples, _initial(spec, shared))
    compared = Validation(monitors.find(spec.training.monitor), shared.labels[shared.val], shared.classes)
    course = Course(spec.training, compared, Best(learner.weights))
    programme = Programme(
        stage=1,
        epochs=spec.training.epochs,
        learning_rate=spec.training.learning_rate,
        patience=spec.training.patience,
        order=lambda epoch: weighting.epoch_order(
            spec.weighting, labels, np.random.default_rng(derive(spec.seed, "order", epoch))
        ),
        train=learner.train,
        predict=lambda: _predict([weight.value for weight in learner.weights], spec, validation),
    )
    course.follow(programme, tell)
    return course


def _trained(course: Course, seconds: float) -> Trained:
    return Trained(course.rows, course.best.epoch, course.best.weights, seconds)


def _initial(spec: RunSpec, shared: Shared) -> list[Floats]:
    """The weights of a fresh head, in the order of the Keras head's."""
    shape, found = (None, shared.activations.shape[1]), list[Floats]()
    for layer in heads.layers(spec.head, len(shared.classes), spec.seed):
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
        found += [np.asarray(weight) for weight in layer.get_weights()]
    return found


def _examples(shared: Shared) -> Examples:
    """What the members may see in training."""
    labels, views = shared.labels[shared.train], shared.views
    if views is None:
        return Examples(shared.activations, shared.train, labels, 1)
    number, pictures, width = views.activations.shape
    soft = views.targets
    targets = np.tile(labels, number) if soft is None else soft.reshape(number * pictures, -1)
    rows = np.arange(number * pictures)
    return Examples(views.activations.reshape(number * pictures, width), rows, targets, number)


def _predict(weights: Sequence[tf.Tensor], spec: RunSpec, batches: Sequence[tf.Tensor]) -> Floats:
    graph = inference(head(spec.head))
    return np.concatenate([graph(list(weights), batch).numpy() for batch in batches])


def _batches(activations: Floats) -> list[tf.Tensor]:
    """The rows as tensors, each of as many as are predicted at once."""
    starts = range(0, max(len(activations), 1), PREDICTED_ROWS)
    return [tf.constant(activations[start : start + PREDICTED_ROWS]) for start in starts]
