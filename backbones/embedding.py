"""Networks of keras.applications made part of a larger graph, each behind the scaling of pixels that it expects."""

import warnings
from typing import Any

from backbones.applications import APPLICATIONS, Scaling
from backbones.registry import BackboneSpec
from backbones.weights import WeightsUnavailable

MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's pixels in R, G, B, range 0..1."""
DEVIATION = (0.229, 0.224, 0.225)
"""Standard deviation of ImageNet's pixels in R, G, B, range 0..1."""
MEAN_BGR = (103.939, 116.779, 123.68)
"""Mean of ImageNet's pixels in B, G, R, range 0..255, as the networks that came from Caffe have it."""


def embed(application: str, pixels: Any, spec: BackboneSpec) -> Any:
    """Features (N, d) of a network without its top, its layers direct parts of the graph that begins at `pixels`.

    Raises:
        WeightsUnavailable: ImageNet weights are wanted and neither the cache nor the network has them.
    """
    import keras

    network = getattr(keras.applications, application)
    options = {
        "include_top": False,
        "input_tensor": _scale(pixels, APPLICATIONS[application].scaling),
        "input_shape": tuple(pixels.shape[1:]),
        "pooling": None if spec.pooling == "flatten" else spec.pooling,
    }
    maps = _pretrained(network, options) if spec.weights == "imagenet" else network(weights=None, **options)
    features = maps.outputs[0]
    return keras.layers.Flatten(name="flattened")(features) if spec.pooling == "flatten" else features


def correction(model: Any) -> Any | None:
    """The layer that an EfficientNet with ImageNet weights from a file lacks before its first, or None.

    Keras divides EfficientNet's normalised pixels by the root of ImageNet's deviation, but builds that division only
    for weights="imagenet". Any map of pixels that is linear in each channel can just as well be applied first.
    """
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights and layer.get_weights()[0].any():
            scale = [deviation**-0.5 for deviation in DEVIATION]
            offset = [255 * mean * (1 - factor) for mean, factor in zip(MEAN, scale, strict=True)]
            return keras.layers.Rescaling(scale, offset=offset, dtype="float32", name="imagenet_deviation")
    return None


def _scale(pixels: Any, scaling: Scaling) -> Any:
    """RGB pixels 0..255 as the network wants them, computed in float32 under any policy."""
    import keras

    def rescale(scale: Any, offset: Any, tensor: Any) -> Any:
        return keras.layers.Rescaling(scale, offset=offset, dtype="float32", name="preprocessing")(tensor)

    if scaling == "signed":
        return rescale(1 / 127.5, -1.0, pixels)
    if scaling == "standardised":
        scale = [1 / (255 * deviation) for deviation in DEVIATION]
        return rescale(scale, [-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)], pixels)
    if scaling == "centred_bgr":
        return rescale(1.0, [-mean for mean in MEAN_BGR], keras.ops.flip(pixels, axis=-1))
    return pixels


def _pretrained(network: Any, options: dict[str, Any]) -> Any:
    """The network with ImageNet weights, downloaded once and then kept by Keras below ~/.keras/models."""
    with warnings.catch_warnings():
        # A MobileNet warns at every size other than the one its weights were trained at.
        warnings.filterwarnings("ignore", message="`input_shape` is undefined or non-square")
        try:
            return network(weights="imagenet", **options)
        except Exception as error:  # Keras raises plain Exception when a download fails
            reason = " ".join(str(error).split())
            raise WeightsUnavailable(
                f"found no ImageNet weights for {network.__name__} ({reason}), expected them below ~/.keras/models or "
                "on the network: set backbone.weights=PATH of a weights file, or backbone.weights=none"
            ) from error
