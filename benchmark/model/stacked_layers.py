"""Stacked layers: what a head computes, as functions of its weights instead of objects that own them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.model import heads
from benchmark.spec import HeadSpec

_COLUMN_SEED = 2**31
"""Every run has the same words for its columns. No stream of a run has this seed: equal words cancel out."""


Floats = npt.NDArray[np.float32]


class Dense(NamedTuple):
    """A kernel (units, inputs) and a bias (units,); this way round, steps of few units take half the time."""

    rectified: bool
    """Whether negative sums become 0."""


class Norm(NamedTuple):
    """Batch normalisation: gamma, beta, moving mean, moving variance, (units,) each; the last two do not learn."""

    momentum: float
    epsilon: float


class Dropout(NamedTuple):
    """A share of the values set to 0 in training, and the others enlarged so that the mean stays."""

    name: str


Layer = Dense | Norm | Dropout


class Head(NamedTuple):
    """The architecture of a head, without its sizes."""

    layers: tuple[Layer, ...]

    @property
    def learns(self) -> tuple[bool, ...]:
        """Of each weight in order: whether gradients move it."""
        kinds = {Dense: (True, True), Norm: (True, True, False, False), Dropout: ()}
        return tuple(learns for layer in self.layers for learns in kinds[type(layer)])

    @property
    def ranks(self) -> tuple[int, ...]:
        """Of each weight in order: its number of axes."""
        kinds = {Dense: (2, 1), Norm: (1, 1, 1, 1), Dropout: ()}
        return tuple(rank for layer in self.layers for rank in kinds[type(layer)])

    @property
    def dropouts(self) -> tuple[str, ...]:
        """The names of its layers that drop values."""
        return tuple(layer.name for layer in self.layers if isinstance(layer, Dropout))


class Masks(NamedTuple):
    """What decides which values a batch loses, for each of the head's D dropouts."""

    words: tf.Tensor
    """(D, B) uint32, random, one for each row of the batch."""
    thresholds: tf.Tensor
    """(D,) uint32: a value is dropped when its hash is below."""
    scales: tf.Tensor
    """(D,) float32: 1 / share kept."""


class Batch(NamedTuple):
    """A batch of B rows of which the first ones count and the others fill it up."""

    inputs: tf.Tensor
    """(B, d) float32."""
    counted: tf.Tensor
    """(B,) float32, 1 for rows that count and 0 for the others."""


class Outcome(NamedTuple):
    """What a head makes of a batch in training."""

    logits: tf.Tensor
    """(B, C) float32."""
    averages: tuple[tf.Tensor, ...]
    """The moving averages afterwards: the weights that do not learn, in order."""


@lru_cache(maxsize=64)
def head(spec: HeadSpec) -> Head:
    """The architecture of the head that `heads.layers` builds."""
    return Head(tuple(map(_layer, heads.layers(spec, classes=2, seed=0))))


@lru_cache(maxsize=64)
def shares(spec: HeadSpec) -> tuple[float, ...]:
    """The dropped share of each dropout in order, 0..1."""
    return tuple(layer.rate for layer in heads.layers(spec, 2, 0) if isinstance(layer, keras.layers.Dropout))


def turned(weights: Sequence[Floats]) -> list[Floats]:
    """The Keras head's weights with kernels as they are used here, or the other way round."""
    return [np.ascontiguousarray(weight.T) for weight in weights]


def learn(head: Head, weights: Sequence[tf.Tensor], batch: Batch, masks: Masks) -> Outcome:
    """The head in training: values are dropped, batches normalised by their own mean and variance."""
    values, remaining, place = batch.inputs, list(weights), 0
    averages: list[tf.Tensor] = []
    for layer in head.layers:
        if isinstance(layer, Dropout):
            values = _drop(values, Masks(*(part[place] for part in masks)))
            place += 1
        elif isinstance(layer, Dense):
            values = _dense(layer, remaining, values)
        else:
            moments = _moments(values, batch.counted)
            gamma, beta, *old = (remaining.pop(0) for _ in range(4))
            values = _normalise(layer, values, moments, gamma, beta)
            averages += [layer.momentum * a + (1 - layer.momentum) * b for a, b in zip(old, moments, strict=True)]
    return Outcome(values, tuple(averages))


def infer(head: Head, weights: Sequence[tf.Tensor], inputs: tf.Tensor) -> tf.Tensor:
    """The logits (n, C) in inference mode."""
    values, remaining = inputs, list(weights)
    for layer in head.layers:
        if isinstance(layer, Dense):
            values = _dense(layer, remaining, values)
        elif isinstance(layer, Norm):
            gamma, beta, *moments = (remaining.pop(0) for _ in range(4))
            values = _normalise(layer, values, moments, gamma, beta)
    return values


def _layer(layer: keras.Layer) -> Layer:
    if isinstance(layer, keras.layers.Dropout):
        return Dropout(layer.name)
    if isinstance(layer, keras.layers.BatchNormalization):
        return Norm(layer.momentum, layer.epsilon)
    return Dense(rectified=layer.activation is keras.activations.relu)


def _dense(layer: Dense, remaining: list[tf.Tensor], values: tf.Tensor) -> tf.Tensor:
    kernel, bias = remaining.pop(0), remaining.pop(0)
    sums = tf.matmul(values, kernel, transpose_b=True) + bias
    return tf.nn.relu(sums) if layer.rectified else sums


def _moments(values: tf.Tensor, counted: tf.Tensor) -> list[tf.Tensor]:
    """Mean and variance of the rows that count, (units,) each."""
    shares = (counted / tf.reduce_sum(counted))[:, None]
    mean = tf.reduce_sum(values * shares, axis=0)
    return [mean, tf.reduce_sum(tf.square(values - mean) * shares, axis=0)]


def _normalise(
    layer: Norm, values: tf.Tensor, moments: Sequence[tf.Tensor], gamma: tf.Tensor, beta: tf.Tensor
) -> tf.Tensor:
    return tf.nn.batch_normalization(values, *moments, beta, gamma, layer.epsilon)


def _drop(values: tf.Tensor, masks: Masks) -> tf.Tensor:
    """The values (B, d) of which a hash of row and column says that they stay, enlarged."""
    mixed = _hash(tf.bitwise.bitwise_xor(masks.words[:, None], tf.constant(_column_words(values.shape[1]))))
    return tf.where(mixed >= masks.thresholds, values * masks.scales, 0.0)


@lru_cache(maxsize=8)
def _column_words(columns: int) -> npt.NDArray[np.uint32]:
    return np.random.default_rng(_COLUMN_SEED).integers(0, 2**32, columns, dtype=np.uint32)


def _hash(words: tf.Tensor) -> tf.Tensor:
    """The words scrambled so that each bit depends on all: the finalizer of MurmurHash3 (Appleby 2011)."""
    words = _fold(words, 16) * tf.constant(0x85EBCA6B, tf.uint32)
    words = _fold(words, 13) * tf.constant(0xC2B2AE35, tf.uint32)
    return _fold(words, 16)


def _fold(words: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, tf.constant(bits, tf.uint32)))
