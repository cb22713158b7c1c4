"""Compiled steps: one call trains on a batch, or on a whole epoch when everything fits beside the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.model.augmentation import Augmentation, Batch
from benchmark.model.boundary import Split
from benchmark.model.losses import Objective

RESIDENT_BYTES = 256 * 1024**2
"""Inputs up to this size are handed to the compiled epoch at once; larger ones stream from disk a batch at a time."""
PREDICTED_PIXELS = 2**20
"""Pixels in a batch of pictures that is only predicted: large enough to fill the cores, small in memory."""

Inputs = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


class Totals(NamedTuple):
    """Means over the training pictures of one epoch."""

    plain: float
    minimised: float
    accuracy: float


class Learner(NamedTuple):
    """What learns in a stage, from what, and how."""

    split: Split
    augmentation: Augmentation
    objective: Objective
    optimizer: keras.optimizers.Optimizer


Update = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
Epoch = Callable[[Indices, npt.NDArray[np.float32]], Totals]


def trainer(learner: Learner, inputs: Inputs, rows: Indices, labels: Indices, batch_size: int) -> Epoch:
    """A function that trains one epoch: an order of the training pictures and each step's rate in, means out.

    `rows` are the training pictures' places in `inputs` and `labels` their class indices; the order holds places in
    `rows`. The last batch is smaller when the order does not divide evenly.
    """
    # Slots created inside the traced step would be created twice.
    learner.optimizer.build(learner.split.above.trainable_variables)
    if inputs.nbytes * len(rows) / len(inputs) <= RESIDENT_BYTES:
        return _resident(_update(learner), inputs[rows], labels, batch_size)
    return _streamed(_update(learner), inputs, rows, labels, batch_size)


def predictor(split: Split, inputs: Inputs) -> Callable[[Indices], npt.NDArray[np.float32]]:
    """A function from rows of `inputs` to their logits (n, C) in inference mode, compiled once."""

    def forward(batch: tf.Tensor) -> tf.Tensor:
        values = tf.cast(batch, tf.float32)
        below = values if split.below is None else split.below(values, training=False)
        return tf.cast(split.above(below, training=False), tf.float32)

    graph = compiled(forward, _signature(inputs))

    def predict(rows: Indices) -> npt.NDArray[np.float32]:
        parts = [graph(inputs[some]).numpy() for some in chunks(rows, predicted_batch(inputs))]
        return np.concatenate(parts)

    return predict


def predicted_batch(inputs: Inputs) -> int:
    """Rows in a batch that is only predicted."""
    if inputs.ndim != 4:
        return 4096
    return int(np.clip(PREDICTED_PIXELS // (inputs.shape[1] * inputs.shape[2]), 16, 256))


def chunks(rows: Indices, size: int) -> Iterator[Indices]:
    """The rows in consecutive parts of this size, the last one smaller."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _update(learner: Learner) -> Update:
    """The body of a step: inputs, labels and rate in; sums of plain loss, minimised loss, hits and rows out."""
    split, optimizer = learner.split, learner.optimizer
    variables = split.above.trainable_variables
    classes = len(learner.objective.class_weights)

    def update(inputs: tf.Tensor, labels: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        batch = learner.augmentation(Batch(tf.cast(inputs, tf.float32), tf.one_hot(labels, classes)))
        below = batch.images if split.below is None else split.below(batch.images, training=False)
        with tf.GradientTape() as tape:
            found = split.above(below, training=True)
            losses = learner.objective.losses(batch.targets, tf.cast(found, tf.float32))
            loss = optimizer.scale_loss(tf.reduce_mean(losses.minimised))
        optimizer.learning_rate.assign(rate)
        optimizer.apply(tape.gradient(loss, variables), variables)
        hits = tf.argmax(found, axis=1) == tf.argmax(batch.targets, axis=1)
        sums = [tf.reduce_sum(tf.cast(values, tf.float64)) for values in (*losses, hits, tf.ones_like(hits))]
        return tf.stack(sums)

    return update


def _resident(update: Update, inputs: Inputs, labels: Indices, batch_size: int) -> Epoch:
    """Epochs of a single compiled call: small steps cost more to start than to compute."""
    everything, truth = tf.constant(inputs), tf.constant(labels)

    def epoch(order: tf.Tensor, rates: tf.Tensor) -> tf.Tensor:
        def step(place: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows = order[place * batch_size : (place + 1) * batch_size]
            return place + 1, sums + update(tf.gather(everything, rows), tf.gather(truth, rows), rates[place])

        start = (tf.constant(0), tf.zeros(4, tf.float64))
        return tf.while_loop(lambda place, _: place < tf.size(rates), step, start, parallel_iterations=1)[1]

    graph = compiled(epoch, tf.TensorSpec((None,), tf.int64), tf.TensorSpec((None,), tf.float32))
    return lambda order, rates: _totals(graph(order, rates).numpy())


def _streamed(update: Update, inputs: Inputs, rows: Indices, labels: Indices, batch_size: int) -> Epoch:
    """Epochs of a compiled call for each batch, gathered from the array on the host."""
    graph = compiled(update, _signature(inputs), tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), tf.float32))

    def epoch(order: Indices, rates: npt.NDArray[np.float32]) -> Totals:
        sums = np.zeros(4)
        for some, rate in zip(chunks(order, batch_size), rates, strict=True):
            sums += graph(inputs[rows[some]], labels[some], rate).numpy()
        return _totals(sums)

    return epoch


class Compiled(NamedTuple):
    """A traced function; it keeps alive the Python function, and with it the variables that the trace refers to."""

    body: Callable[..., tf.Tensor]
    graph: Callable[..., tf.Tensor]

    def __call__(self, *values: object) -> tf.Tensor:
        """The function of arrays or tensors of the traced types."""
        return self.graph(*map(tf.constant, values))


def compiled(body: Callable[..., tf.Tensor], *signature: tf.TensorSpec) -> Compiled:
    """The function traced for these types."""
    # XLA is ten times slower than oneDNN for convolutions on a CPU.
    traced = tf.function(body, input_signature=signature, autograph=False, jit_compile=False)
    return Compiled(body, traced.get_concrete_function())


def _signature(inputs: Inputs) -> tf.TensorSpec:
    return tf.TensorSpec((None, *inputs.shape[1:]), inputs.dtype)


def _totals(sums: npt.NDArray[np.float64]) -> Totals:
    return Totals(*(sums[:3] / sums[3]).tolist())
