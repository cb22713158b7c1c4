"""Augmentation: random changes of training pictures, a batch at a time and each picture its own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.model import distortions, whitening
from benchmark.model.seeds import derive
from benchmark.registry import near
from benchmark.spec import AugmentationSpec

_MIXING = ("MixUp", "CutMix")
"""Layers that change labels together with pictures."""
_NOT_IN_YAML = ("seed", "data_format", "kwargs", "options", "name")
_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")
"""Keras ignores a misspelt mode; the last one turns by half a circle, flipping both ways at once."""


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

    @property
    def mixes(self) -> bool:
        """Whether labels change together with pictures."""
        return any(type(layer).__name__ in _MIXING for layer in self.layers)

    def __call__(self, batch: Batch) -> Batch:
        """The batch changed: same shapes, pixels still 0..255."""
        for layer in self.layers:
            batch = _apply(layer, batch)
        return batch


def names() -> tuple[str, ...]:
    """The names of all layers that an augmentation may use."""
    return tuple(sorted({*_kinds(), whitening.NAME}))


def build(spec: AugmentationSpec, seed: int, image_size: int) -> Augmentation:
    """The random layers of a spec, seeded by the run's seed; whitening is not random and not among them.

    Raises:
        InvalidAugmentation: an unknown layer or argument, or a layer that changes the pictures' size.
    """
    layers = []
    for place, one in enumerate(spec.layers):
        for name, arguments in one.items():
            if name != whitening.NAME:
                layers.append(_build_layer(name, arguments, derive(seed, "augmentation", place)))
    for built in layers:
        _require_same_size(built, image_size)
    return Augmentation(tuple(layers))


def preview(augmentation: Augmentation, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The pictures (N, S, S, 3) as training would see them, each row a class of its own for mixing layers."""
    batch = Batch(tf.cast(images, tf.float32), tf.eye(len(images)))
    return np.rint(augmentation(batch).images.numpy()).astype(np.uint8)


def _build_layer(name: str, arguments: Mapping[str, Any], seed: int) -> keras.Layer:
    kind = _kinds().get(name)
    if kind is None:
        raise InvalidAugmentation(f"unknown augmentation layer {name!r}{near(name, names())}")
    known = [argument for argument in inspect.signature(kind).parameters if argument not in _NOT_IN_YAML]
    unknown = [argument for argument in arguments if argument not in known]
    if unknown:
        raise InvalidAugmentation(
            f"augmentation layer {name}: unknown argument {unknown[0]!r}{near(unknown[0], known)}"
        )
    if name == "RandomFlip" and arguments.get("mode") not in (None, *_FLIPS):
        raise InvalidAugmentation(f"augmentation layer RandomFlip: unknown mode{near(str(arguments['mode']), _FLIPS)}")
    try:
        # Half precision has too few digits for 0..255.
        return kind(**arguments, seed=seed, dtype="float32")
    except (TypeError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise InvalidAugmentation(f"augmentation layer {name} refuses {dict(arguments)}: {reason}") from error


def _kinds() -> dict[str, type[keras.Layer]]:
    """Every random image layer by name: those of Keras that take a seed, and the distortions."""
    found = {}
    for name in dir(keras.layers):
        kind = getattr(keras.layers, name)
        is_image_layer = isinstance(kind, type) and ".image_preprocessing." in kind.__module__
        if is_image_layer and "seed" in inspect.signature(kind).parameters:
            found[name] = kind
    return found | distortions.registered()


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
        images = tf.ensure_shape(one(batch.images, training=True), batch.images.shape)
        return Batch(tf.clip_by_value(images, 0, 255), batch.targets)
    mixed = one({"images": batch.images, "labels": batch.targets}, training=True)
    return Batch(tf.clip_by_value(mixed["images"], 0, 255), mixed["labels"])
