"""Augmentation: random changes of training pictures, a batch at a time and each picture its own."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.model import distortions
from benchmark.model.seeds import derive
from benchmark.spec import AugmentationSpec

_MIXING = ("MixUp", "CutMix")
"""Layers that change labels together with pictures."""


class InvalidAugmentation(ValueError):
    """A layer or an argument that does not exist, or a layer that cannot serve here."""


class Batch(NamedTuple):
    """Pictures and what they show."""

    images: tf.Tensor
    """(N, S, S, 3) float32, 0..255."""
    targets: tf.Tensor
    """(N, C) float32, each row sums to 1."""


class Augmentation(NamedTuple):
    """Random layers in the order in which they are applied; their random state moves on with every batch."""

    layers: tuple[keras.Layer, ...]

    def __call__(self, batch: Batch) -> Batch:
        """The batch changed: same shapes, pixels still 0..255."""
        for layer in self.layers:
            batch = _apply(layer, batch)
        return batch


def names() -> tuple[str, ...]:
    """The names of all layers that an augmentation may use."""
    kinds = {name for name in dir(keras.layers) if _is_random_image_layer(getattr(keras.layers, name))}
    return tuple(sorted(kinds | set(distortions.registered())))


def build(spec: AugmentationSpec, seed: int, image_size: int) -> Augmentation:
    """The augmentation of a spec, seeded by the run's seed.

    Raises:
        InvalidAugmentation: an unknown layer or argument, or a layer that changes the pictures' size.
    """
    layers = []
    for place, one in enumerate(spec.layers):
        for name, arguments in one.items():
            layers.append(_build_layer(name, arguments, derive(seed, "augmentation", place)))
    for built in layers:
        _require_same_size(built, image_size)
    return Augmentation(tuple(layers))


def preview(augmentation: Augmentation, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The pictures (N, S, S, 3) as training would see them, each row a class of its own for mixing layers."""
    batch = Batch(tf.cast(images, tf.float32), tf.eye(len(images)))
    return np.rint(augmentation(batch).images.numpy()).astype(np.uint8)


def _build_layer(name: str, arguments: Mapping[str, Any], seed: int) -> keras.Layer:
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ";"
        raise InvalidAugmentation(f"unknown augmentation layer {name!r}{hint} there are {', '.join(names())}")
    kind = distortions.registered().get(name) or getattr(keras.layers, name)
    try:
        # Half precision has too few digits for 0..255.
        return kind(**arguments, seed=seed, dtype="float32")
    except (TypeError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise InvalidAugmentation(
            f"augmentation layer {name} does not take {dict(arguments)}: {reason}; see keras.layers.{name}"
        ) from error


def _require_same_size(built: keras.Layer, size: int) -> None:
    shape = (None, size, size, 3)
    found = tuple(built.compute_output_shape(shape))
    if found != shape:
        raise InvalidAugmentation(
            f"augmentation layer {type(built).__name__} makes {found[1]} x {found[2]} pictures of {size} x {size}; "
            "expected the same size: use RandomResizedCrop, which enlarges what it cuts out"
        )


def _apply(one: keras.Layer, batch: Batch) -> Batch:
    if type(one).__name__ not in _MIXING:
        return Batch(tf.clip_by_value(one(batch.images, training=True), 0, 255), batch.targets)
    mixed = one({"images": batch.images, "labels": batch.targets}, training=True)
    return Batch(tf.clip_by_value(mixed["images"], 0, 255), mixed["labels"])


def _is_random_image_layer(kind: object) -> bool:
    """Whether it is a layer with a seed that keras.layers lists as image preprocessing."""
    return isinstance(kind, type) and ".image_preprocessing." in kind.__module__
