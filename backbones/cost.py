"""What a model costs: its parameters, and the arithmetic for one image."""

import math
from typing import Any, NamedTuple

import keras

_COUNTED = (keras.layers.Dense, keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)


class CostUnknown(ValueError):
    """A layer that multiplies in a way that is not accounted for here."""


class ParameterCounts(NamedTuple):
    """Numbers in a model's weights, and those of them that training changes."""

    total: int
    trainable: int


def parameter_counts(model: keras.Model) -> ParameterCounts:
    """The counts of a built model as it is now, frozen layers left out of `trainable`."""
    return ParameterCounts(_numbers(model.weights), _numbers(model.trainable_weights))


def flops(model: keras.Model) -> int:
    """Floating-point operations for one image: two (multiply, add) for each use of a kernel's number.

    Only dense and convolutional layers count, as in the published figures, which often give multiply-adds, half of
    this. Biases, activations, pooling and normalisation, a percent or so, do not.

    Raises:
        CostUnknown: another kind of layer has a matrix for a weight.
    """
    return 2 * sum(_multiply_adds(layer) for layer in model.layers)


def _multiply_adds(layer: Any) -> int:
    """Uses of the layer's kernels for one image: their numbers times the positions they are applied at."""
    if isinstance(layer, keras.Model):
        return sum(_multiply_adds(inner) for inner in layer.layers)
    kernels = [weight for weight in layer.weights if len(weight.shape) > 1]
    if not kernels:
        return 0
    if not isinstance(layer, _COUNTED):
        raise CostUnknown(
            f"cannot count the operations of {layer.name} ({type(layer).__name__}), expected dense and convolutional "
            "layers: leave the figure out"
        )
    # The output is channels-last, so all that lies between batch and channels is positions.
    return math.prod(layer.output.shape[1:-1]) * _numbers(kernels)


def _numbers(weights: list[Any]) -> int:
    """How many numbers these weights hold."""
    return sum(math.prod(weight.shape) for weight in weights)
