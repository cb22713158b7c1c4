"""Stack: heads on the same activations that differ in seed, weighting, dropout, rate or width, trained together.

What is compiled and what lies on the device is shared; the result of a head is the same, to the last bit, whichever
heads it is trained with.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark import monitors, weighting
from benchmark.model import heads
from benchmark.model.seeds import derive
from benchmark.model.stacked_epochs import inference
from benchmark.model.stacked_layers import head, turned
from benchmark.model.stacked_learner import Examples, Learner, Matrix, Predicted
from benchmark.model.training import Best, Course, Diverged, Programme, Row, Validation
from benchmark.spec import RunSpec

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

    activations: Matrix
    """(N, d) of all pictures."""
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
    waited: float
    """The part of it in which steps waited for activations."""


class _Stopped(Exception):
    """The stack as a whole has failed."""


def train(members: Sequence[Member], shared: Shared, on_epoch: Callable[[int, Row], None]) -> list[Trained | Diverged]:
    """Every member's result in order; `on_epoch` gets a member's place and each of its rows as soon as it is known.

    As many members learn at a time as TensorFlow may use threads. What `on_epoch` raises ends the stack.
    """
    begin = time.perf_counter()
    learn = _learning(members, shared)
    workers = max(min(len(members), tf.config.threading.get_intra_op_parallelism_threads()), 1)
    told: queue.SimpleQueue[tuple[int, Row | None]] = queue.SimpleQueue()
    stopped = threading.Event()

    def run(place: int) -> Course | Diverged:
        def tell(row: Row) -> None:
            if stopped.is_set():
                raise _Stopped
            row["seconds"] /= workers
            told.put((place, row))

        try:
            if stopped.is_set():
                raise _Stopped
            return learn(members[place], tell)
        except BaseException:
            stopped.set()
            raise
        finally:
            told.put((place, None))

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(run, place) for place in range(len(members))]
        try:
            _pass_on(told, len(members), on_epoch)
        finally:
            stopped.set()
    seconds = (time.perf_counter() - begin) / max(len(members), 1)
    found = _results(futures)
    return [one if isinstance(one, Diverged) else _trained(one, seconds, one.waited / workers) for one in found]


def logits(weights: Sequence[Floats], spec: RunSpec, pictures: Predicted) -> Floats:
    """The logits (n, C) of a head with these weights, as in every epoch's validation."""
    return _predict([tf.constant(weight) for weight in turned(weights)], spec, pictures)


def _pass_on(
    told: queue.SimpleQueue[tuple[int, Row | None]], members: int, on_epoch: Callable[[int, Row], None]
) -> None:
    """Hand over all rows, until every member has said that no more will come."""
    while members:
        place, row = told.get()
        if row is None:
            members -= 1
        else:
            on_epoch(place, row)


def _results(futures: Sequence[Future[Course | Diverged]]) -> list[Course | Diverged]:
    """What the members found, or the error that stopped them all."""
    errors = [error for error in (future.exception() for future in futures) if error is not None]
    for error in errors:
        if not isinstance(error, _Stopped):
            raise error
    return [future.result() for future in futures]


def _learning(
    members: Sequence[Member], shared: Shared
) -> Callable[[Member, Callable[[Row], None]], Course | Diverged]:
    """A function that trains one member; what all of them need is made ready before."""
    labels, truth = shared.labels[shared.train], shared.labels[shared.val]
    examples, validation = _examples(shared), Predicted(shared.activations, shared.val)
    width, classes = shared.activations.shape[1], shared.classes
    # Keras counts the layers it makes, which threads would do at once.
    initial = {id(one): turned(_initial(one.spec, width, len(classes))) for one in members}

    def learn(member: Member, tell: Callable[[Row], None]) -> Course | Diverged:
        spec = member.spec
        learner = Learner(spec, member.class_weights, examples, initial[id(member)])
        compared = Validation(monitors.find(spec.training.monitor), truth, classes)
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
        try:
            course.follow(programme, tell)
        except Diverged as error:
            return error
        return course

    return learn


def _trained(course: Course, seconds: float, waited: float) -> Trained:
    return Trained(course.rows, course.best.epoch, turned(course.best.weights), seconds, waited)


def _initial(spec: RunSpec, width: int, classes: int) -> list[Floats]:
    """The weights of a fresh head on `width` features, in the order of the Keras head's."""
    shape, found = (None, width), list[Floats]()
    for layer in heads.layers(spec.head, classes, spec.seed):
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


def _predict(weights: Sequence[tf.Tensor], spec: RunSpec, pictures: Predicted) -> Floats:
    graph = inference(head(spec.head))
    return np.concatenate([graph(list(weights), batch).numpy() for batch in pictures])
