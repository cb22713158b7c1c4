"""Stacked epochs: the program that all heads of one architecture share, a whole epoch of one head in a call.

Heads share what is compiled and what they train on, but each call computes one of them: its numbers cannot depend on
the others, and its weights stay in the processor's cache for an epoch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.model.losses import Objective
from benchmark.model.stacked_layers import Batch, Head, Masks, infer, learn
from benchmark.model.stacked_updates import Rule, Slots

Number = TypeVar("Number", bound=np.generic)
_PROGRAMS = 16
"""Architectures whose programs stay compiled."""


class Plan(NamedTuple):
    """What decides a program; sizes are those of the arrays."""

    head: Head
    rule: Rule
    batch_size: int


class Rows(NamedTuple):
    """What an epoch, or a block of one, sees."""

    inputs: tf.Tensor
    """(R, d) float32."""
    targets: tf.Tensor
    """(R,) int64 class indices, or (R, C) float32 whose rows sum to 1."""
    order: tf.Tensor
    """(S, B) int32 rows of the inputs, those of the last batch filled up."""
    count: tf.Tensor
    """Rows in the order that are no filling."""


class Recipe(NamedTuple):
    """What differs between the heads of a program."""

    lengths: tf.Tensor
    """(S, 2), see `Rule.lengths`."""
    objective: Objective
    """Of tensors."""
    masks: Masks
    """Of tensors; words (D, S, B)."""


class State(NamedTuple):
    """A head between two steps."""

    weights: list[tf.Tensor]
    slots: list[Slots]
    sums: tf.Tensor
    """(3,) float64 over the rows seen: plain loss, minimised loss, hits."""


@lru_cache(maxsize=_PROGRAMS)
def training(plan: Plan) -> tf.types.experimental.PolymorphicFunction:
    """The compiled function of Rows, Recipe and State that trains on all rows and returns the State."""

    def train(rows: Rows, recipe: Recipe, state: State) -> State:
        def step(place: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return place + 1, _step(plan, rows, recipe, place, state)

        steps = (rows.count + plan.batch_size - 1) // plan.batch_size
        return tf.while_loop(lambda place, _: place < steps, step, (tf.constant(0), state), parallel_iterations=1)[1]

    # One thread that stays inside a loop of fused kernels beats a graph of small operations three times.
    return tf.function(train, autograph=False, jit_compile=True)


@lru_cache(maxsize=_PROGRAMS)
def inference(head: Head) -> tf.types.experimental.ConcreteFunction:
    """The compiled function of weights and inputs (n, d) that returns logits (n, C)."""

    def predict(weights: list[tf.Tensor], inputs: tf.Tensor) -> tf.Tensor:
        return infer(head, weights, inputs)

    weights = [tf.TensorSpec((None,) * rank, tf.float32) for rank in head.ranks]
    traced = tf.function(predict, autograph=False, jit_compile=False)
    return traced.get_concrete_function(weights, tf.TensorSpec((None, None), tf.float32))


def fill_up(values: npt.NDArray[Number], batch_size: int, steps: int) -> npt.NDArray[Number]:
    """Values (..., n) as (..., steps, batch_size), filled up with zeros."""
    missing = steps * batch_size - values.shape[-1]
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])
    return padded.reshape(*values.shape[:-1], steps, batch_size)


def _step(plan: Plan, rows: Rows, recipe: Recipe, place: tf.Tensor, state: State) -> State:
    """The state after one batch."""
    chosen = rows.order[place]
    size = tf.minimum(rows.count - place * plan.batch_size, plan.batch_size)
    counted = tf.cast(tf.range(plan.batch_size) < size, tf.float32)
    batch = Batch(tf.gather(rows.inputs, chosen), counted)
    targets = tf.gather(rows.targets, chosen)
    if targets.dtype.is_integer:
        targets = tf.one_hot(targets, state.weights[-1].shape[0])
    masks = recipe.masks._replace(words=recipe.masks.words[:, place])
    learning = [weight for weight, learns in zip(state.weights, plan.head.learns, strict=True) if learns]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(learning)
        outcome = learn(plan.head, state.weights, batch, masks)
        losses = recipe.objective.losses(targets, outcome.logits)
        loss = tf.reduce_sum(losses.minimised * counted) / tf.cast(size, tf.float32)
    gradients = tape.gradient(loss, learning)
    length = recipe.lengths[place]
    moved = [plan.rule.move(*one, length) for one in zip(learning, gradients, state.slots, strict=True)]
    hits = tf.cast(tf.argmax(outcome.logits, axis=1) == tf.argmax(targets, axis=1), tf.float32)
    found = [tf.reduce_sum(tf.cast(values * counted, tf.float64)) for values in (*losses, hits)]
    return State(
        _merged(plan.head, [one.weight for one in moved], outcome.averages),
        [one.slots for one in moved],
        state.sums + tf.stack(found),
    )


def _merged(head: Head, learned: list[tf.Tensor], averages: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
    """All weights in order, from those that learn and those that do not."""
    left, right = iter(learned), iter(averages)
    return [next(left) if learns else next(right) for learns in head.learns]
