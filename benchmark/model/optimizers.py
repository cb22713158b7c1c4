"""Optimizers: how a gradient moves the weights."""

from __future__ import annotations

from collections.abc import Callable

import keras

from benchmark.spec import TrainingSpec

MOMENTUM = 0.9
"""Of stochastic gradient descent, in Nesterov's form."""

_MAKERS: dict[str, Callable[[float], keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=MOMENTUM, nesterov=True),
    "rmsprop": keras.optimizers.RMSprop,
}


def build(spec: TrainingSpec, learning_rate: float) -> keras.optimizers.Optimizer:
    """A fresh optimizer; with float16 it scales the loss so that small gradients survive."""
    optimizer = _MAKERS[spec.optimizer](learning_rate)
    if spec.mixed_precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
