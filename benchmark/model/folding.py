"""Folding: a network that only predicts, its batch normalisation made one with the convolutions before it.

In inference mode normalisation multiplies and adds the same numbers whatever the picture (Ioffe & Szegedy, 2015), so
that the kernel takes over the factor and the bias the rest (Jacob et al., 2018). It saves two passes over the
activations behind every convolution.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Numbers = npt.NDArray[np.float32]

_KERNELS = {
    keras.layers.Conv2D: "kernel",
    keras.layers.SeparableConv2D: "pointwise_kernel",
    keras.layers.DepthwiseConv2D: "kernel",
}
"""Layers that a normalisation can become part of, and where their last kernel is. Their subclasses may do anything."""


def folded(model: keras.Model) -> Callable[[tf.Tensor], Any]:
    """The functional model in inference mode, with the weights that it has now.

    A function to be traced, of one input tensor; it gives what the model gives, to rounding.
    """
    weights = {id(weight): tf.convert_to_tensor(weight.value) for weight in model.weights}
    shifts: dict[keras.Layer, tf.Tensor] = {}
    for convolution, normalisation in _pairs(model):
        scale, shift = _scale_and_shift(normalisation)
        kernel = getattr(convolution, _KERNELS[type(convolution)])
        weights[id(kernel)] = tf.constant(_scaled(kernel, scale, type(convolution)))
        if convolution.use_bias:
            weights[id(convolution.bias)] = tf.zeros_like(convolution.bias.value)
            shift = shift + scale * _numbers(convolution.bias)
        shifts[normalisation] = tf.constant(shift)
    state = [(weight, weights[id(weight)]) for weight in model.weights]

    def run(inputs: tf.Tensor) -> Any:
        with keras.StatelessScope(state_mapping=state):
            return model._run_through_graph(inputs, lambda operation: _inference(operation, shifts))

    return run


def _inference(operation: keras.Operation, shifts: dict[keras.Layer, tf.Tensor]) -> Callable[..., Any]:
    """What an operation of the model does in inference mode; only an addition is left of a normalisation."""
    if operation in shifts:
        return lambda inputs, **_: tf.nn.bias_add(inputs, tf.cast(shifts[operation], inputs.dtype))
    if isinstance(operation, keras.layers.Layer) and "training" in inspect.signature(operation.call).parameters:
        # What the model was built with may say otherwise.
        return lambda *values, **options: operation(*values, **{**options, "training": False})
    return operation


def _pairs(model: keras.Model) -> Iterator[tuple[keras.Layer, keras.layers.BatchNormalization]]:
    """Convolutions without activation whose values go to a normalisation and nowhere else."""
    nodes = [node for some in model._nodes_by_depth.values() for node in some]
    times = Counter(id(node.operation) for node in nodes)
    uses = Counter(id(tensor) for tensor in [*model.outputs, *(one for node in nodes for one in node.input_tensors)])
    for node in nodes:
        normalisation = node.operation
        if type(normalisation) is not keras.layers.BatchNormalization or times[id(normalisation)] > 1:
            continue
        tensor = node.input_tensors[0]  # a mask may follow, which inference does not look at
        convolution = tensor._keras_history.operation
        if (
            type(convolution) in _KERNELS
            and convolution.activation is keras.activations.linear
            and convolution.data_format == "channels_last"
            and normalisation.axis in (-1, len(tensor.shape) - 1)
            and times[id(convolution)] == uses[id(tensor)] == 1
        ):
            yield convolution, normalisation


def _scale_and_shift(normalisation: keras.layers.BatchNormalization) -> tuple[Numbers, Numbers]:
    """The factor and the addend of every channel (C,)."""
    scale = 1 / np.sqrt(_numbers(normalisation.moving_variance) + np.float32(normalisation.epsilon))
    if normalisation.scale:
        scale = scale * _numbers(normalisation.gamma)
    shift = -scale * _numbers(normalisation.moving_mean)
    if normalisation.center:
        shift = shift + _numbers(normalisation.beta)
    return scale, shift


def _scaled(kernel: keras.Variable, scale: Numbers, kind: type[keras.Layer]) -> Numbers:
    """The kernel with its output channels multiplied by these factors; a depthwise one has them in two axes."""
    values = _numbers(kernel)
    return values * (scale.reshape(values.shape[2:]) if kind is keras.layers.DepthwiseConv2D else scale)


def _numbers(variable: keras.Variable) -> Numbers:
    return np.asarray(variable.value, np.float32)
