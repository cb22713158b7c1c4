"""Stacked learner: one head of a stack, from its first weights on, an epoch at a time, and the rows that heads see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.model.ahead import ahead, timed
from benchmark.model.losses import Objective
from benchmark.model.seeds import derive, drawn_views
from benchmark.model.stacked_epochs import Number, Plan, Recipe, Rows, State, fill_up, training
from benchmark.model.stacked_layers import Masks, head, shares
from benchmark.model.stacked_updates import rule, start
from benchmark.model.steps import RESIDENT_BYTES, Totals, chunks
from benchmark.spec import RunSpec

BLOCK_BYTES = 64 * 1024**2
"""Activations gathered at a time when they do not all stay on the device; the next ones are gathered meanwhile."""
PREDICTED_ROWS = 4096
"""Rows in a batch that is only predicted, fewer where they take more than a block."""

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Matrix(Protocol):
    """Rows (N, d) float32: an array, a memory map, or what is computed when rows are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """N and d."""

    def __getitem__(self, rows: Indices, /) -> Floats:
        """The rows (n, d) at these places."""


class Examples:
    """What heads train on, shared between them."""

    def __init__(self, inputs: Matrix, rows: Indices, targets: Indices | Floats, views: int) -> None:
        """Inputs (R, d), the rows of the examples in them, and the examples' class indices or shares of the classes.

        There are `views` examples of each picture: with n pictures, example v * n + i is view v of picture i.
        """
        self.views = views
        self.pictures = len(rows) // views
        self._inputs = inputs
        self._rows = rows
        self._targets = targets
        everything = np.arange(len(rows))
        self._resident = self._gathered(everything, len(rows)) if _stays(inputs, rows) else None

    def blocks(self, order: Indices, batch_size: int) -> Iterator[Rows]:
        """The examples in this order, whole batches at a time and in arrays of equal shapes."""
        if self._resident is not None:
            yield self._block(self._resident, order, batch_size, -(-len(order) // batch_size))
            return
        steps = max(min(_rows_of_a_block(self._inputs) // batch_size, -(-len(order) // batch_size)), 1)

        def gather(some: Indices) -> Rows:
            return self._block(self._gathered(some, steps * batch_size), np.arange(len(some)), batch_size, steps)

        yield from ahead(gather, chunks(order, steps * batch_size), threads=1)

    def _gathered(self, examples: Indices, length: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Inputs and targets of the examples, filled up to this length with rows that no order names."""
        parts = (self._inputs[self._rows[examples]], self._targets[examples])
        inputs, targets = (tf.constant(_of_length(part, length)) for part in parts)
        return inputs, targets

    def _block(self, gathered: tuple[tf.Tensor, tf.Tensor], order: Indices, batch_size: int, steps: int) -> Rows:
        filled = fill_up(order.astype(np.int32), batch_size, steps)
        return Rows(*gathered, tf.constant(filled), tf.constant(len(order), tf.int32))


class Predicted:
    """Rows that are only predicted, shared between heads; iterating gives them as tensors, in order."""

    def __init__(self, inputs: Matrix, rows: Indices) -> None:
        """Inputs (R, d) and places in them."""
        self._inputs = inputs
        self._parts = list(chunks(rows, max(min(PREDICTED_ROWS, _rows_of_a_block(inputs)), 1))) or [rows]
        self._resident = list(map(self._gathered, self._parts)) if _stays(inputs, rows) else None

    def __iter__(self) -> Iterator[tf.Tensor]:
        """Batches (n, d), gathered a little ahead where they do not all stay on the device."""
        found: Iterable[tf.Tensor] = self._resident or ahead(self._gathered, self._parts, threads=1)
        return iter(found)

    def _gathered(self, some: Indices) -> tf.Tensor:
        return tf.constant(self._inputs[some])


class Weight:
    """A weight's present value."""

    def __init__(self, value: tf.Tensor) -> None:
        self.value = value


class Learner:
    """A head's weights and what its optimizer remembers."""

    def __init__(
        self, spec: RunSpec, class_weights: tuple[float, ...], examples: Examples, weights: Sequence[Floats]
    ) -> None:
        """The head before its first epoch, with these weights, turned as `stacked_layers` wants them."""
        architecture = head(spec.head)
        self._plan = Plan(architecture, rule(spec.training), spec.training.batch_size)
        self._examples = examples
        self._seed = spec.seed
        thresholds = np.minimum(np.rint(np.array(shares(spec.head)) * 2**32), 2**32 - 1).astype(np.uint32)
        self._thresholds = tf.constant(thresholds)
        # By the share that such a threshold leaves, so that the mean stays exactly.
        self._scales = tf.constant((1 / (1 - thresholds / 2**32)).astype(np.float32))
        numbers = (class_weights, spec.weighting.focal_gamma, spec.training.label_smoothing)
        self._objective = Objective(*(tf.constant(number, tf.float32) for number in numbers))
        self.weights = [Weight(tf.constant(weight)) for weight in weights]
        self._slots = start(self._plan.rule, weights, architecture.learns)
        self._graph: tf.types.experimental.ConcreteFunction | None = None
        self._epochs = 0
        self._steps = 0

    def train(self, order: Indices, rates: Floats) -> Totals:
        """Train an epoch on the pictures in this order, each with one of its views; means over them."""
        self._epochs += 1
        lengths, words = self._plan.rule.lengths(rates, self._steps), self._words(len(order))
        sums, done, waited, batch_size = tf.zeros(3, tf.float64), 0, 0.0, self._plan.batch_size
        for rows, seconds in timed(self._examples.blocks(self._drawn(order), batch_size)):
            waited += seconds
            steps = rows.order.shape[0]
            some = slice(done * batch_size, (done + steps) * batch_size)
            recipe = Recipe(
                tf.constant(_of_length(lengths[done : done + steps], steps)),
                self._objective,
                Masks(tf.constant(fill_up(words[:, some], batch_size, steps)), self._thresholds, self._scales),
            )
            state = State([weight.value for weight in self.weights], self._slots, sums)
            if self._graph is None:
                # All calls have these shapes; looking them up each time takes a tenth of a small epoch.
                self._graph = training(self._plan).get_concrete_function(rows, recipe, state)
            state = self._graph(rows, recipe, state)
            for weight, value in zip(self.weights, state.weights, strict=True):
                weight.value = value
            self._slots, sums, done = state.slots, state.sums, done + steps
        self._steps += len(rates)
        plain, minimised, accuracy = (sums.numpy() / len(order)).tolist()
        return Totals(plain, minimised, accuracy, waited)

    def _drawn(self, order: Indices) -> Indices:
        """The examples shown for the pictures in this order."""
        views = self._examples.views
        if views == 1:
            return order
        return drawn_views(self._seed, self._epochs, len(order), views) * self._examples.pictures + order

    def _words(self, number: int) -> npt.NDArray[np.uint32]:
        """(D, number) random words that decide what this epoch's rows lose in each dropout."""
        streams = [derive(self._seed, "dropout", name, self._epochs) for name in self._plan.head.dropouts]
        words = [np.random.default_rng(seed).integers(0, 2**32, number, dtype=np.uint32) for seed in streams]
        return np.array(words, np.uint32).reshape(len(streams), number)


def _of_length(values: npt.NDArray[Number], length: int) -> npt.NDArray[Number]:
    """The rows, and zeros up to this length."""
    if len(values) == length:
        return values
    return np.pad(values, [(0, length - len(values))] + [(0, 0)] * (values.ndim - 1))


def _stays(inputs: Matrix, rows: Indices) -> bool:
    """Whether these rows may stay on the device."""
    return 4 * inputs.shape[1] * len(rows) <= RESIDENT_BYTES


def _rows_of_a_block(inputs: Matrix) -> int:
    return BLOCK_BYTES // (4 * inputs.shape[1])
