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
    return 2 * _multiply_adds(model)


def _multiply_adds(model: keras.Model) -> int:
    """Uses of all kernels for one image: their numbers times the positions they are applied at."""
    # A layer may serve in several models, or several times in one. The nodes of the graph tell; no public name does.
    graph = model._functional if isinstance(model, keras.Sequential) else model
    if not hasattr(graph, "_nodes_by_depth"):
        raise CostUnknown(f"cannot count the operations of {model.name}, expected a functional model: leave it out")
    nodes = {id(node) for same_depth in graph._nodes_by_depth.values() for node in same_depth}
    total = 0
    for layer in model.layers:
        calls = [node for node in layer._inbound_nodes if id(node) in nodes]
        if isinstance(layer, keras.Model):
            total += len(calls) * _multiply_adds(layer)
        elif kernels := _kernels(layer):
            # Channels come last, so all that lies between batch and channels is positions.
            total += _numbers(kernels) * sum(math.prod(node.outputs[0].shape[1:-1]) for node in calls)
    return total


def _kernels(layer: Any) -> list[Any]:
    """The weights of a layer that are matrices or stacks of them."""
    kernels = [weight for weight in layer.weights if len(weight.shape) > 1]
    if kernels and not isinstance(layer, _COUNTED):
        raise CostUnknown(
            f"cannot count the operations of {layer.name} ({type(layer).__name__}), expected dense and convolutional "
            "layers: leave the figure out"
        )
    return kernels


def _numbers(weights: list[Any]) -> int:
    """How many numbers these weights hold."""
    return sum(math.prod(weight.shape) for weight in weights)
