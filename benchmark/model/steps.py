"""Compiled steps: one call trains on many batches, so that small steps cost little more than their arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.model.ahead import ahead, timed
from benchmark.model.augmentation import Augmentation, Batch
from benchmark.model.boundary import Split
from benchmark.model.losses import Objective

RESIDENT_BYTES = 256 * 1024**2
"""Inputs up to this size stay on the device while they are trained on; larger ones come in blocks of batches."""
BLOCK_BYTES = 64 * 1024**2
"""Inputs of a block. A block is gathered while the one before it is trained on."""
PREDICTED_PIXELS = 2**20
"""Pixels in a batch of pictures that is only predicted: large enough to fill the cores, small in memory."""
PREDICTED_BYTES = 16 * 1024**2
"""The same for activations."""

Inputs = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Rates = npt.NDArray[np.float32]


class Totals(NamedTuple):
    """Means over the training pictures of one epoch."""

    plain: float
    minimised: float
    accuracy: float
    waited: float = 0.0
    """Seconds in which steps waited for their inputs."""


class Learner(NamedTuple):
    """What learns in a stage, from what, and how."""

    split: Split
    augmentation: Augmentation
    objective: Objective
    optimizer: keras.optimizers.Optimizer


class Examples(NamedTuple):
    """What may be trained on."""

    inputs: Inputs
    """(N, ...) pixels 0..255 or packed activations; an array or a memory map."""
    rows: Indices
    """(M,) places in the inputs."""
    targets: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    """(M,) class indices, or (M, C) whose rows sum to 1."""

    @property
    def row_bytes(self) -> int:
        """Of one example's input."""
        return self.inputs.nbytes // max(len(self.inputs), 1)


Update = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
Epoch = Callable[[Indices, Rates], Totals]
Predict = Callable[[Indices], npt.NDArray[np.float32]]


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


class Trainer(NamedTuple):
    """Compiled steps that train on any examples of one shape."""

    graph: Compiled
    """Inputs, targets, an order of them, the rate of every batch and four running sums -> the sums."""
    batch_size: int

    def on(self, examples: Examples) -> Epoch:
        """A function that trains one epoch: an order of the examples and each step's rate in, means out.

        The last batch is smaller when the order does not divide evenly.
        """
        if examples.row_bytes * len(examples.rows) <= RESIDENT_BYTES:
            return self._resident(examples)
        return self._streamed(examples)

    def _resident(self, examples: Examples) -> Epoch:
        inputs, targets = tf.constant(examples.inputs[examples.rows]), tf.constant(examples.targets)

        def epoch(order: Indices, rates: Rates) -> Totals:
            return _totals(self.graph(inputs, targets, order, rates, np.zeros(4)).numpy(), 0.0)

        return epoch

    def _streamed(self, examples: Examples) -> Epoch:
        def gather(block: Indices) -> _Gathered:
            return _Gathered(examples.inputs[examples.rows[block]], examples.targets[block])

        def epoch(order: Indices, rates: Rates) -> Totals:
            sums, waited, done = np.zeros(4), 0.0, 0
            blocks = _blocks(order, self.batch_size, examples.row_bytes)
            for gathered, seconds in timed(ahead(gather, blocks, threads=1)):
                steps = -(-len(gathered.targets) // self.batch_size)
                everything = np.arange(len(gathered.targets))
                block = (gathered.inputs, gathered.targets, everything, rates[done : done + steps])
                sums, waited, done = self.graph(*block, sums).numpy(), waited + seconds, done + steps
            return _totals(sums, waited)

        return epoch


class Predictor(NamedTuple):
    """A compiled network that predicts from any inputs of one shape."""

    graph: Compiled

    def on(self, inputs: Inputs) -> Predict:
        """A function from rows of `inputs` to their logits (n, C) in inference mode."""

        def predict(rows: Indices) -> npt.NDArray[np.float32]:
            parts = [self.graph(inputs[some]).numpy() for some in chunks(rows, predicted_batch(inputs))]
            return np.concatenate(parts)

        return predict


def trainer(learner: Learner, inputs: tf.TensorSpec, targets: tf.TensorSpec, batch_size: int) -> Trainer:
    """The compiled steps of a learner for batches of these inputs (None, ...) and targets (None,) or (None, C)."""
    # Slots created inside the traced step would be created twice.
    learner.optimizer.build(learner.split.above.trainable_variables)
    update = _update(learner)

    def train(inputs: tf.Tensor, targets: tf.Tensor, order: tf.Tensor, rates: tf.Tensor, sums: tf.Tensor) -> tf.Tensor:
        def step(place: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows = order[place * batch_size : (place + 1) * batch_size]
            return place + 1, sums + update(tf.gather(inputs, rows), tf.gather(targets, rows), rates[place])

        start = (tf.constant(0), sums)
        return tf.while_loop(lambda place, _: place < tf.size(rates), step, start, parallel_iterations=1)[1]

    numbers = (
        tf.TensorSpec((None,), tf.int64),
        tf.TensorSpec((None,), tf.float32),
        tf.TensorSpec((4,), tf.float64),
    )
    return Trainer(compiled(train, inputs, targets, *numbers), batch_size)


def predictor(split: Split, inputs: tf.TensorSpec) -> Predictor:
    """The compiled network of a split for batches of these inputs."""

    def forward(batch: tf.Tensor) -> tf.Tensor:
        values = tf.cast(batch, tf.float32)
        below = values if split.below is None else split.below(values, training=False)
        return tf.cast(split.above(below, training=False), tf.float32)

    return Predictor(compiled(forward, inputs))


def batches_of(values: npt.NDArray[np.generic]) -> tf.TensorSpec:
    """The signature of batches of rows of an array."""
    return tf.TensorSpec((None, *values.shape[1:]), values.dtype)


def predicted_batch(inputs: Inputs) -> int:
    """Rows in a batch that is only predicted."""
    if inputs.ndim == 4:
        return int(np.clip(PREDICTED_PIXELS // (inputs.shape[1] * inputs.shape[2]), 16, 256))
    return int(np.clip(PREDICTED_BYTES // (4 * inputs.shape[1]), 16, 4096))


def chunks(rows: Indices, size: int) -> Iterator[Indices]:
    """The rows in consecutive parts of this size, the last one smaller."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _update(learner: Learner) -> Update:
    """The body of a step: inputs, targets and rate in; sums of plain loss, minimised loss, hits and rows out."""
    split, optimizer = learner.split, learner.optimizer
    variables = split.above.trainable_variables
    classes = split.above.output.shape[-1]

    def update(inputs: tf.Tensor, targets: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        soft = tf.one_hot(targets, classes) if targets.dtype.is_integer else targets
        batch = learner.augmentation(Batch(tf.cast(inputs, tf.float32), soft))
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


class _Gathered(NamedTuple):
    """A block's rows, in memory."""

    inputs: Inputs
    targets: npt.NDArray[np.generic]


def _blocks(order: Indices, batch_size: int, row_bytes: int) -> Iterator[Indices]:
    """The order in blocks of whole batches: small ones first, for the first one is waited for."""
    most = max(1, BLOCK_BYTES // (row_bytes * batch_size))
    place, batches = 0, 1
    while place < len(order):
        yield order[place : place + batches * batch_size]
        place, batches = place + batches * batch_size, min(2 * batches, most)


def _totals(sums: npt.NDArray[np.float64], waited: float) -> Totals:
    plain, minimised, accuracy = (sums[:3] / sums[3]).tolist()
    return Totals(plain, minimised, accuracy, waited)
