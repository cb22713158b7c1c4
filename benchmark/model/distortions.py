"""Distortions: random layers of our own, for what keras.layers lacks or does to a whole batch alike."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

_REGISTRY: dict[str, type[keras.Layer]] = {}


def distortion(kind: type[keras.Layer]) -> type[keras.Layer]:
    """Register a layer class under its name: pixels (N, S, S, 3) 0..255 in and out, `seed` among its arguments."""
    _REGISTRY[kind.__name__] = kind
    return kind


def registered() -> dict[str, type[keras.Layer]]:
    """All layer classes registered so far, by name."""
    return dict(_REGISTRY)


class Distortion(keras.Layer):  # type: ignore[misc]
    """A layer with a random state of its own."""

    def __init__(self, seed: int, **options: Any) -> None:
        """Random numbers follow from the seed; `options` are those of every Keras layer."""
        super().__init__(**options)
        self.generator = keras.random.SeedGenerator(seed)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The same shape."""
        return input_shape

    def uniform(self, images: tf.Tensor, low: float, high: float) -> tf.Tensor:
        """One number in low..high for each picture, (N,) float32."""
        return keras.random.uniform((tf.shape(images)[0],), low, high, dtype="float32", seed=self.generator)


@distortion
class RandomGain(Distortion):
    """Brightness multiplied by a factor between `low` and `high`, drawn for each picture."""

    def __init__(self, low: float, high: float, seed: int, **options: Any) -> None:
        """Factors are at least 0."""
        super().__init__(seed, **options)
        if not 0 <= low <= high:
            raise ValueError(f"found low={low}, high={high}; expected 0 <= low <= high")
        self.low, self.high = low, high

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The pictures, brighter or darker in training."""
        return images * self.uniform(images, self.low, self.high)[:, None, None, None] if training else images


@distortion
class RandomResizedCrop(Distortion):
    """A part of each picture, cut out and enlarged to the picture's own size (Szegedy et al. 2015)."""

    def __init__(self, smallest_area: float, widest_aspect: float, seed: int, **options: Any) -> None:
        """Area as a share of the picture in smallest_area..1; width / height in 1/widest_aspect..widest_aspect."""
        super().__init__(seed, **options)
        if not 0 < smallest_area <= 1 or widest_aspect < 1:
            raise ValueError(
                f"found smallest_area={smallest_area}, widest_aspect={widest_aspect}; expected an area in 0..1 and an "
                "aspect of at least 1"
            )
        self.smallest_area, self.widest_aspect = smallest_area, widest_aspect

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The pictures' parts in training, else the pictures."""
        if not training:
            return images
        area = self.uniform(images, self.smallest_area, 1)
        stretch = tf.exp(self.uniform(images, -0.5, 0.5) * math.log(self.widest_aspect))
        height, width = (tf.minimum(tf.sqrt(area) * side, 1) for side in (1 / stretch, stretch))
        top, left = (self.uniform(images, 0, 1) * (1 - side) for side in (height, width))
        boxes = tf.stack([top, left, top + height, left + width], axis=1)
        return tf.image.crop_and_resize(images, boxes, tf.range(tf.shape(images)[0]), tf.shape(images)[1:3])


@distortion
class RandAugmentEach(keras.layers.RandAugment):  # type: ignore[misc]
    """Keras's RandAugment with the changes drawn for each picture instead of once for the batch (Cubuk et al. 2020)."""

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> dict[str, Any] | None:
        """Numbers for every change, and which `num_ops` of them each picture gets: (num_ops, N) indices."""
        found: dict[str, Any] | None = super().get_random_transformation(data, training, seed)
        if found is not None:
            images = data["images"] if isinstance(data, dict) else data
            found["layer_idxes"] = keras.random.randint(
                (self.num_ops, tf.shape(images)[0], 1, 1, 1), 0, len(found["transforms"]), seed=self.generator
            )
        return found
