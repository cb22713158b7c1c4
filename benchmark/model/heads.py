"""Heads: the classifier on top of the features, one builder for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from benchmark.model.seeds import derive
from benchmark.spec import HeadSpec


class QuickDropout(keras.layers.Dropout):  # type: ignore[misc]
    """Dropout from random numbers of 8 bits: wide layers spend more time on Keras's 32 than on all else.

    The dropped share is rounded to 1/256; what is kept grows by the share that is really kept. Predictions and saved
    models know nothing of it: they have Keras's own layer.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The values, some of them 0 in training."""
        if not training:
            return inputs
        dropped = max(round(256 * self.rate), 1)
        words = tf.random.stateless_uniform(
            [(tf.size(inputs) + 3) // 4], tf.cast(self.seed_generator.next(), tf.int64), None, None, tf.uint32
        )
        numbers = tf.reshape(tf.bitcast(words, tf.uint8), [-1])[: tf.size(inputs)]
        kept = tf.cast(tf.reshape(numbers, tf.shape(inputs)) >= dropped, inputs.dtype)
        return inputs * (kept * (256 / (256 - dropped)))


def layers(
    spec: HeadSpec, classes: int, seed: int, dropout: type[keras.layers.Dropout] = keras.layers.Dropout
) -> tuple[keras.Layer, ...]:
    """The head's layers in order, features (N, d) in, logits (N, classes) float32 out.

    Weights are drawn from `seed` and so are the masks of dropout, each from a stream of its own.
    """

    def drop(share: float, name: str) -> keras.Layer:
        return dropout(share, seed=derive(seed, "dropout", name), name=name)

    found: list[keras.Layer] = []
    if spec.input_batch_norm:
        found.append(keras.layers.BatchNormalization(name="head_input_norm"))
    for place, units in enumerate(spec.units, start=1):
        found.append(_dense(units, "relu", f"head_dense_{place}", seed))
        if spec.batch_norm:
            found.append(keras.layers.BatchNormalization(name=f"head_norm_{place}"))
        if place < len(spec.units) and spec.hidden_dropout > 0:
            found.append(drop(spec.hidden_dropout, f"head_dropout_{place}"))
    if spec.dropout > 0:
        found.append(drop(spec.dropout, "head_dropout"))
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
