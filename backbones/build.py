"""From a BackboneSpec to a Keras model: pixels in, features out, nothing for the caller to prepare."""

from pathlib import Path
from typing import Any

import keras

from backbones import embedding, registry, weights
from backbones.registry import BackboneSpec


def build(spec: BackboneSpec, image_size: int, weights_path: Path | None) -> keras.Model:
    """A flat model from `pixels` (N, size, size, 3), float32, RGB in 0..255, to features (N, d).

    It saves, and loads in a process that has imported nothing but Keras. The global dtype policy applies to all its
    layers but the scaling of the pixels.

    Raises:
        BackboneError: the spec and the size do not go together (registry.check).
        WeightsUnavailable: ImageNet weights or the file cannot be had; WeightsDoNotFit: the file is another network's.
    """
    registry.check(spec, image_size)
    from_file = spec.weights not in ("none", "imagenet")
    if from_file != (weights_path is not None):
        raise weights.WeightsUnavailable(
            f"found weights={spec.weights} and the file {weights_path}, expected both or neither to name a file: set "
            "backbone.weights to its path"
        )
    model = _assemble(spec, image_size, None)
    if weights_path is None:
        return model
    weights.load(model, weights_path)
    correction = embedding.correction(model)
    if correction is None:
        return model
    corrected = _assemble(spec, image_size, correction)
    weights.copy(model, corrected)
    return corrected


def trunk(model: keras.Model) -> list[keras.layers.Layer]:
    """The network's layers from first to last, without the input and without the pooling or flattening at the end.

    `the last n layers` means the last n of these, as for a network of keras.applications without its top.
    """
    closing = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D, keras.layers.Flatten)
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    return layers[:-1] if isinstance(layers[-1], closing) else layers


def _assemble(spec: BackboneSpec, image_size: int, first: Any | None) -> keras.Model:
    """The model with the weights its builder gives it, behind one more layer when there is one."""
    pixels = keras.Input((image_size, image_size, 3), dtype="float32", name="pixels")
    seen = pixels if first is None else first(pixels)
    return keras.Model(pixels, registry.find(spec.name).build(seen, spec), name=spec.name)
