"""Passes through the frozen part of a network: every picture once, or a few augmented views of it once each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.model import boundary, settings
from benchmark.model.activations import Batch
from benchmark.model.ahead import ahead
from benchmark.model.augmentation import Augmentation
from benchmark.model.augmentation import Batch as Pictures
from benchmark.model.folding import folded
from benchmark.model.seeds import derive
from benchmark.model.steps import chunks, compiled, predicted_batch

VIEWS_SEED = derive(0, "views")
"""Views do not depend on the run's seed, so that seeds share them."""

Pixels = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Forward = Callable[[Any], npt.NDArray[np.float32]]


class Training(NamedTuple):
    """The training pictures, in the order in which views are numbered."""

    rows: Indices
    """(n,) their places in the pixels."""
    labels: Indices
    """(n,) class indices."""
    classes: int


def plain(below: keras.Model, pixels: Pixels) -> Iterator[Batch]:
    """The packed activations of all pixels (N, S, S, 3), in order."""
    forward = _forward(below, tf.TensorSpec((None, *pixels.shape[1:]), tf.uint8))

    def batch(rows: Indices) -> Batch:
        return Batch(rows, forward(tf.constant(pixels[rows])), None)

    # One batch of a small network leaves a core idle between its operations; the next batch fills it.
    yield from ahead(batch, chunks(np.arange(len(pixels)), predicted_batch(pixels)), settings.concurrent())


class OnDemand:
    """The packed activations (N, D) float32 of all pixels, each computed anew whenever its row is asked for."""

    def __init__(self, below: keras.Model, pixels: Pixels) -> None:
        """Nothing is computed yet for pixels (N, S, S, 3)."""
        signature = tf.TensorSpec((None, *pixels.shape[1:]), tf.uint8)
        columns = sum(math.prod(tensor.shape[1:]) for tensor in below.outputs)
        self.shape = (len(pixels), columns)
        self._pixels = pixels
        self._forward = _forward(below, signature)

    def __getitem__(self, rows: Indices) -> npt.NDArray[np.float32]:
        """The rows (n, D) at these places."""
        parts = ahead(self._of, chunks(rows, predicted_batch(self._pixels)), settings.concurrent())
        return np.concatenate([np.empty((0, self.shape[1]), np.float32), *parts])

    def _of(self, rows: Indices) -> npt.NDArray[np.float32]:
        return self._forward(tf.constant(self._pixels[rows]))


def augmented(
    below: keras.Model, augmentation: Augmentation, pixels: Pixels, training: Training, views: int
) -> Iterator[Batch]:
    """The packed activations of augmented views of the training pictures.

    Row v * n + i is view v of the i-th training picture. Layers that mix pictures find their partners among pictures
    of any class: every view goes through the pictures in an order of its own.
    """
    pictures = len(training.rows)
    forward = _forward(below, tf.TensorSpec((None, *pixels.shape[1:]), tf.float32))
    augment = _augment(augmentation, pixels, training.classes)

    def changed() -> Iterator[_Views]:
        for view in range(views):
            order = np.random.default_rng(derive(VIEWS_SEED, view)).permutation(pictures)
            for places in chunks(order, predicted_batch(pixels)):
                drawn = augment(pixels[training.rows[places]], training.labels[places])
                yield _Views(view * pictures + places, drawn)

    def batch(some: _Views) -> Batch:
        images, targets = some.drawn
        return Batch(some.rows, forward(images), targets.numpy() if augmentation.mixes else None)

    # Only the forward passes overlap: what is drawn at random depends on what was drawn before.
    yield from ahead(batch, changed(), settings.concurrent())


class _Views(NamedTuple):
    """A batch of augmented pictures and the rows that their activations go to."""

    rows: Indices
    drawn: Pictures


def _augment(augmentation: Augmentation, pixels: Pixels, classes: int) -> Callable[..., Pictures]:
    """The function from uint8 pixels and class indices to images and targets, compiled."""

    def augment(images: tf.Tensor, labels: tf.Tensor) -> Pictures:
        return augmentation(Pictures(tf.cast(images, tf.float32), tf.one_hot(labels, classes)))

    graph = compiled(augment, tf.TensorSpec((None, *pixels.shape[1:]), tf.uint8), tf.TensorSpec((None,), tf.int64))
    return lambda images, labels: graph(images, labels)


def _forward(below: keras.Model, signature: tf.TensorSpec) -> Forward:
    """The frozen part from pixels to packed activations, compiled."""
    network = folded(below)
    forward = compiled(lambda batch: boundary.pack(network(tf.cast(batch, tf.float32))), signature)
    return lambda batch: forward(batch).numpy()
