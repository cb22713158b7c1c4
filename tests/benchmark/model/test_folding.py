"""A folded network predicts what it predicts in inference mode, with fewer operations."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from benchmark.model.folding import folded

SIDE = 12


def settled(model: keras.Model) -> keras.Model:
    """The model with weights as training leaves them: no factor is 1 and no mean is 0."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.3, 1.7, weight.shape) * random.choice([-1, 1], weight.shape))
        if "variance" in weight.path:
            weight.assign(random.uniform(0.3, 1.7, weight.shape))
    return model


def normalised(convolution: keras.layers.Layer, **options: object) -> keras.Model:
    """A convolution, its normalisation, and something behind it."""
    pixels = keras.Input((SIDE, SIDE, 3))
    values = layers.BatchNormalization(**options)(convolution(pixels))
    return keras.Model(pixels, layers.ReLU()(values))


def operations(call: Callable[[tf.Tensor], tf.Tensor]) -> list[str]:
    """The kinds of operations in the traced function."""
    graph = tf.function(call, autograph=False).get_concrete_function(tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32))
    return [operation.type for operation in graph.graph.get_operations()]


def require_same(model: keras.Model) -> None:
    """Both give the same values, which differ from picture to picture."""
    pixels = np.random.default_rng(1).normal(size=(4, SIDE, SIDE, 3)).astype(np.float32)
    expected, found = model(pixels, training=False), tf.function(folded(model), autograph=False)(pixels)
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        assert np.ptp(other, axis=0).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * float(np.abs(other).max()))


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"epsilon": 0.1}], ids=str)
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda bias: layers.Conv2D(5, 3, use_bias=bias),
        lambda bias: layers.Conv2D(6, 3, groups=3, use_bias=bias),
        lambda bias: layers.SeparableConv2D(5, 3, depth_multiplier=2, use_bias=bias),
        lambda bias: layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=bias),
    ],
    ids=["convolution", "groups", "separable", "depthwise"],
)
def test_a_normalisation_becomes_part_of_the_convolution_before_it(
    make: Callable[[bool], keras.layers.Layer], with_bias: bool, options: dict[str, object]
) -> None:
    model = settled(normalised(make(with_bias), **options))
    require_same(model)
    assert "Rsqrt" in operations(lambda pixels: model(pixels, training=False))
    assert not {"Rsqrt", "Mul"} & set(operations(folded(model)))


class Doubled(layers.Conv2D):
    """A convolution that does more than its class."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Twice the values, squared."""
        return (2 * super().call(inputs)) ** 2


@pytest.mark.parametrize(
    "convolution",
    [layers.Conv2D(5, 3, activation="relu"), Doubled(5, 3), layers.AveragePooling2D(2)],
    ids=["with an activation", "of another class", "not a convolution"],
)
def test_a_normalisation_behind_anything_else_stays(convolution: keras.layers.Layer) -> None:
    model = settled(normalised(convolution))
    require_same(model)
    assert "Rsqrt" in operations(folded(model))


def test_a_convolution_whose_values_are_used_twice_stays() -> None:
    pixels = keras.Input((SIDE, SIDE, 3))
    values = layers.Conv2D(5, 3)(pixels)
    normal = layers.BatchNormalization()(values)
    for model in (keras.Model(pixels, layers.Add()([normal, values])), keras.Model(pixels, [normal, values])):
        require_same(settled(model))
        assert "Rsqrt" in operations(folded(model))


def test_layers_that_are_called_twice_stay() -> None:
    pixels = keras.Input((SIDE, SIDE, 3))
    convolution, normalisation = layers.Conv2D(3, 3, padding="same"), layers.BatchNormalization()
    values = normalisation(convolution(normalisation(convolution(pixels))))
    model = settled(keras.Model(pixels, values))
    require_same(model)
    assert "Rsqrt" in operations(folded(model))


def test_a_part_of_a_network_is_folded_by_what_it_holds_itself() -> None:
    pixels = keras.Input((SIDE, SIDE, 3))
    values = layers.Conv2D(5, 3)(pixels)
    whole = settled(keras.Model(pixels, layers.BatchNormalization()(values)))
    require_same(keras.Model(pixels, values))
    require_same(whole)
    assert "Rsqrt" not in operations(folded(whole))


class Training(layers.Layer):
    """A layer that is in training unless it is told otherwise."""

    def call(self, inputs: tf.Tensor, training: bool = True) -> tf.Tensor:
        """Nothing in training."""
        return 0 * inputs if training else inputs


def test_what_only_trains_rests() -> None:
    pixels = keras.Input((SIDE, SIDE, 3))
    require_same(settled(keras.Model(pixels, Training()(layers.Dropout(0.9)(layers.Conv2D(5, 3)(pixels))))))


def test_later_changes_of_the_weights_are_not_seen() -> None:
    model = settled(normalised(layers.Conv2D(5, 3)))
    pixels = np.random.default_rng(1).normal(size=(2, SIDE, SIDE, 3)).astype(np.float32)
    expected, fixed = model(pixels, training=False).numpy(), tf.function(folded(model), autograph=False)
    for weight in model.weights:
        weight.assign(weight * 3 + 1)
    np.testing.assert_allclose(fixed(pixels), expected, rtol=1e-4, atol=1e-4 * float(np.abs(expected).max()))
