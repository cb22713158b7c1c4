"""Heads: the classifier on top of the features, one builder for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from benchmark.model.seeds import derive
from benchmark.spec import HeadSpec


def layers(spec: HeadSpec, classes: int, seed: int) -> tuple[keras.Layer, ...]:
    """The head's layers in order, features (N, d) in, logits (N, classes) float32 out.

    Weights are drawn from `seed` and so are the masks of dropout, each from a stream of its own.
    """
    found: list[keras.Layer] = []
    if spec.input_batch_norm:
        found.append(keras.layers.BatchNormalization(name="head_input_norm"))
    for place, units in enumerate(spec.units, start=1):
        found.append(_dense(units, "relu", f"head_dense_{place}", seed))
        if spec.batch_norm:
            found.append(keras.layers.BatchNormalization(name=f"head_norm_{place}"))
        if place < len(spec.units) and spec.hidden_dropout > 0:
            found.append(_dropout(spec.hidden_dropout, f"head_dropout_{place}", seed))
    if spec.dropout > 0:
        found.append(_dropout(spec.dropout, "head_dropout", seed))
    # Half precision is too coarse for a softmax over close logits.
    found.append(_dense(classes, None, "head_logits", seed, dtype="float32"))
    return tuple(found)


def apply(head: Sequence[keras.Layer], features: keras.KerasTensor) -> keras.KerasTensor:
    """The symbolic logits (N, C) of symbolic features (N, d)."""
    values = features
    for layer in head:
        values = layer(values)
    return values


def _dense(units: int, activation: str | None, name: str, seed: int, dtype: str | None = None) -> keras.Layer:
    initializer = keras.initializers.GlorotUniform(seed=derive(seed, "head", name))
    return keras.layers.Dense(units, activation, kernel_initializer=initializer, name=name, dtype=dtype)


def _dropout(share: float, name: str, seed: int) -> keras.Layer:
    return keras.layers.Dropout(share, seed=derive(seed, "dropout", name), name=name)
