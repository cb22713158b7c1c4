"""Parameters and operations, against figures worked out by hand and published ones."""

import keras
import pytest

from backbones.build import build
from backbones.cost import CostUnknown, flops, parameter_counts
from backbones.registry import BackboneSpec


def build_backbone(name: str, size: int, application: str | None = None) -> keras.Model:
    pooling = "flatten" if name in ("lenet", "shallownet") else "avg"
    spec = BackboneSpec(name=name, weights="none", pooling=pooling, application=application)
    return build(spec, size, None)


def test_operations_of_lenet_are_those_worked_out_by_hand():
    first = 32 * 32 * (5 * 5 * 3) * 20
    second = 16 * 16 * (5 * 5 * 20) * 50
    dense = 8 * 8 * 50 * 500
    assert flops(build_backbone("lenet", 32)) == 2 * (first + second + dense)


def test_operations_grow_with_the_pictures_while_parameters_do_not():
    small, large = (build_backbone("keras_application", size, "VGG16") for size in (32, 64))
    assert flops(large) == 4 * flops(small) > 0
    assert parameter_counts(large) == parameter_counts(small)


@pytest.mark.parametrize(
    ("name", "application", "size", "multiply_adds"),
    [
        ("resnet50v2", None, 224, 3.49e9),
        ("xception", None, 299, 8.36e9),
        ("inceptionv3", None, 299, 5.71e9),
        ("keras_application", "VGG16", 224, 15.35e9),
        ("keras_application", "MobileNet", 224, 568e6),
        ("keras_application", "EfficientNetB0", 224, 0.387e9),
        ("keras_application", "ConvNeXtTiny", 224, 4.46e9),
        ("mobilenetv3small", None, 224, 56.5e6),
    ],
)
def test_operations_are_twice_the_published_multiply_adds(name, application, size, multiply_adds):
    with keras.StatelessScope(initialize_variables=False):
        model = build_backbone(name, size, application)
    assert flops(model) == pytest.approx(2 * multiply_adds, rel=0.03)
    keras.utils.clear_session()


def test_a_layer_counts_once_for_each_use_in_this_model_and_not_for_those_elsewhere():
    dense = keras.layers.Dense(7)
    first, other = keras.Input((5, 6)), keras.Input((6,))
    once = keras.Model(other, dense(other))
    twice = keras.Model([first, other], [dense(first), dense(other)])
    assert flops(once) == 2 * 6 * 7
    assert flops(twice) == 2 * (5 + 1) * 6 * 7


def test_operations_inside_a_nested_model_count():
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, strides=2, padding="same")])
    pixels = keras.Input((8, 8, 3))
    assert flops(keras.Model(pixels, inner(pixels))) == flops(inner) == 2 * (4 * 4) * (3 * 3 * 3 * 4)


def test_a_layer_that_multiplies_in_another_way_is_not_silently_free():
    tokens = keras.Input((5, 6))
    attention = keras.layers.MultiHeadAttention(2, 3)(tokens, tokens)
    with pytest.raises(CostUnknown, match="MultiHeadAttention"):
        flops(keras.Model(tokens, attention))


def test_frozen_layers_are_not_trainable_parameters():
    model = build_backbone("lenet", 32)
    total = 5 * 5 * 3 * 20 + 20 + 5 * 5 * 20 * 50 + 50 + 8 * 8 * 50 * 500 + 500
    assert parameter_counts(model) == (total, total)
    model.get_layer("hidden").trainable = False
    assert parameter_counts(model) == (total, total - (8 * 8 * 50 * 500 + 500))
