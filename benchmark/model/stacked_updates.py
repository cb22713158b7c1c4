"""Stacked updates: the numbers of Keras's optimizers, as functions of weights and slots instead of objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.spec import TrainingSpec

EPSILON = 1e-7
_FIRST, _SECOND = 0.9, 0.999
"""Decay of Adam's averages of gradients and of their squares (Kingma and Ba 2015, ICLR)."""
_RHO = 0.9
"""Decay of RMSprop's average of squared gradients (Hinton 2012)."""

Slots = tuple[tf.Tensor, ...]
Rates = npt.NDArray[np.float32]


class Moved(NamedTuple):
    """A weight and its slots after a step."""

    weight: tf.Tensor
    slots: Slots


class Rule(NamedTuple):
    """How one weight follows its gradient."""

    optimizer: str
    momentum: float
    weight_decay: float

    @property
    def slots(self) -> int:
        """Arrays of the weight's shape that a step remembers, 0 at first."""
        return {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": int(self.momentum > 0)}[self.optimizer]

    def lengths(self, rates: Rates, done: int) -> npt.NDArray[np.float32]:
        """(steps, 2): each step's rate, and what it multiplies a direction with, after so many steps done."""
        if self.slots < 2:
            return np.stack([rates, rates], axis=1)
        step = np.arange(done + 1, done + len(rates) + 1, dtype=np.float32)
        first, second = (1 - np.power(np.float32(decay), step) for decay in (_FIRST, _SECOND))
        return np.stack([rates, rates * np.sqrt(second) / first], axis=1)

    def move(self, weight: tf.Tensor, gradient: tf.Tensor, slots: Slots, length: tf.Tensor) -> Moved:
        """One step; `length` is a row of `lengths`."""
        if self.optimizer == "adamw":
            weight -= weight * self.weight_decay * length[0]
        if self.optimizer == "sgd":
            return self._sgd(weight, gradient, slots, length[1])
        return (_rmsprop if self.optimizer == "rmsprop" else _adam)(weight, gradient, slots, length[1])

    def _sgd(self, weight: tf.Tensor, gradient: tf.Tensor, slots: Slots, length: tf.Tensor) -> Moved:
        if not slots:
            return Moved(weight - gradient * length, ())
        velocity = slots[0] * self.momentum - gradient * length
        return Moved(weight + velocity * self.momentum - gradient * length, (velocity,))


def rule(spec: TrainingSpec) -> Rule:
    """The rule of a spec; what its optimizer does not use is 0."""
    momentum = spec.momentum if spec.optimizer == "sgd" else 0.0
    return Rule(spec.optimizer, momentum, spec.weight_decay if spec.optimizer == "adamw" else 0.0)


def start(rule: Rule, weights: Sequence[npt.NDArray[np.float32]], learns: Sequence[bool]) -> list[Slots]:
    """The slots of the weights that learn, before the first step."""
    return [
        (tf.zeros(weight.shape),) * rule.slots for weight, learning in zip(weights, learns, strict=True) if learning
    ]


def _adam(weight: tf.Tensor, gradient: tf.Tensor, slots: Slots, length: tf.Tensor) -> Moved:
    mean, square = slots
    mean += (gradient - mean) * (1 - _FIRST)
    square += (tf.square(gradient) - square) * (1 - _SECOND)
    return Moved(weight - mean * length / (tf.sqrt(square) + EPSILON), (mean, square))


def _rmsprop(weight: tf.Tensor, gradient: tf.Tensor, slots: Slots, length: tf.Tensor) -> Moved:
    square = _RHO * slots[0] + (1 - _RHO) * tf.square(gradient)
    return Moved(weight - length * gradient / tf.sqrt(square + EPSILON), (square,))
