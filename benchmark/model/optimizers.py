"""Optimizers: how a gradient moves the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from benchmark.spec import TrainingSpec


class _OneDevice:
    """Keras's optimizers without their detour over tf.distribute.

    On a single device the detour changes no number, but every step traced through it keeps the variables of network and
    optimizer, three times the network's size with Adam, for the life of the process.
    """

    weight_decay: float | None
    learning_rate: Any

    def _backend_update_step(self, gradients: list[Any], variables: list[Any], learning_rate: Any) -> None:
        for gradient, variable in zip(gradients, variables, strict=True):
            self.update_step(gradient, variable, learning_rate)  # type: ignore[attr-defined]

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        for variable in variables if self.weight_decay else ():
            variable.assign(variable - variable * self.weight_decay * self.learning_rate)


class _Adam(_OneDevice, keras.optimizers.Adam):  # type: ignore[misc]
    pass


class _AdamW(_OneDevice, keras.optimizers.AdamW):  # type: ignore[misc]
    pass


class _SGD(_OneDevice, keras.optimizers.SGD):  # type: ignore[misc]
    pass


class _RMSprop(_OneDevice, keras.optimizers.RMSprop):  # type: ignore[misc]
    pass


def build(spec: TrainingSpec, learning_rate: float) -> keras.optimizers.Optimizer:
    """A fresh optimizer; with float16 it scales the loss so that small gradients survive."""
    makers: dict[str, Callable[[float], keras.optimizers.Optimizer]] = {
        "adam": _Adam,
        "adamw": lambda rate: _AdamW(rate, weight_decay=spec.weight_decay),
        "sgd": lambda rate: _SGD(rate, momentum=spec.momentum, nesterov=spec.momentum > 0),
        "rmsprop": _RMSprop,
    }
    optimizer = makers[spec.optimizer](learning_rate)
    if spec.mixed_precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
