from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmark.model import heads
from benchmark.model.classifier import assemble
from benchmark.spec import HeadSpec

FEATURES = {"mobilenetv3small": 576, "mobilenetv3large": 960, "resnet50v2": 2048, "efficientnetb2": 1408, "vgg16": 512}
HeadOf = Callable[..., HeadSpec]


@pytest.fixture(scope="module")
def head_of(conf_part: Callable[..., dict[str, Any]]) -> HeadOf:
    return lambda name, **changes: HeadSpec(**conf_part("head", name, **changes))


def built(spec: HeadSpec, width: int, classes: int, seed: int = 0) -> keras.Model:
    features = keras.Input((width,))
    return keras.Model(features, heads.apply(heads.layers(spec, classes, seed), features))


def kinds(spec: HeadSpec) -> list[str]:
    return [type(layer).__name__ for layer in heads.layers(spec, 3, 0)]


@pytest.mark.parametrize("width", FEATURES.values())
def test_linear_and_dense_heads_have_the_published_counts(width: int, head_of: HeadOf) -> None:
    assert built(head_of("linear"), width, 10).count_params() == width * 10 + 10
    assert built(head_of("dense"), width, 10).count_params() == width * 128 + 128 + 128 * 10 + 10


@pytest.mark.parametrize(
    ("head", "width", "trainable"),
    [("linear", 576, 5_770), ("dense", 576, 75_146), ("linear", 960, 9_610), ("dense", 960, 124_298)],
)
def test_heads_on_mobilenets_have_the_trainable_counts_of_the_studies(
    head: str, width: int, trainable: int, head_of: HeadOf
) -> None:
    assert built(head_of(head), width, 10).count_params() == trainable


def test_the_dense_head_with_batch_norm_has_the_count_of_its_study(head_of: HeadOf) -> None:
    model = built(head_of("dense_bn", units=[256]), 576, 3)
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trainable == 148_995
    assert model.count_params() + 939_120 == 1_088_627


def test_layers_stand_in_the_order_of_the_studies(head_of: HeadOf) -> None:
    assert kinds(head_of("linear")) == ["Dropout", "Dense"]
    assert kinds(head_of("dense")) == ["Dense", "Dropout", "Dense"]
    assert kinds(head_of("dense_bn")) == ["Dense", "BatchNormalization", "Dropout", "Dense"]
    assert kinds(head_of("wide")) == ["BatchNormalization", "Dense", "Dropout", "Dense", "Dropout", "Dense"]


def test_weights_depend_on_the_seed_and_on_nothing_that_happened_before(head_of: HeadOf) -> None:
    first = built(head_of("wide"), 8, 3, seed=5).get_weights()
    keras.utils.set_random_seed(99)
    again = built(head_of("wide"), 8, 3, seed=5).get_weights()
    other = built(head_of("wide"), 8, 3, seed=6).get_weights()
    assert all(np.array_equal(left, right) for left, right in zip(first, again, strict=True))
    assert not np.array_equal(first[-2], other[-2])


def test_the_model_is_flat_and_ends_in_probabilities(head_of: HeadOf) -> None:
    pixels = keras.Input((4, 4, 3), name="pixels")
    backbone = keras.Model(pixels, keras.layers.Flatten()(pixels))
    parts = assemble(backbone, heads.layers(head_of("dense"), 5, 0))
    assert not any(isinstance(layer, keras.Model) for layer in parts.model.layers)
    probabilities = parts.model(np.random.default_rng(0).uniform(0, 255, (6, 4, 4, 3)), training=False).numpy()
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5])
@pytest.mark.parametrize("shape", [(64, 1001), (3, 1), (64, 1000)])
def test_quick_dropout_drops_the_share_and_keeps_the_mean(share: float, shape: tuple[int, int]) -> None:
    layer = heads.QuickDropout(share, seed=3)
    ones = np.ones(shape, np.float32)
    first, second = layer(ones, training=True).numpy(), layer(ones, training=True).numpy()
    dropped = max(round(256 * share), 1) / 256
    assert set(np.unique(first)) <= {0.0, np.float32(1 / (1 - dropped))}
    if first.size > 1000:
        assert (first == 0).mean() == pytest.approx(dropped, abs=4 * np.sqrt(dropped / first.size))
        assert first.mean() == pytest.approx(1, abs=0.02)
        assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer(ones, training=False).numpy(), ones)
    np.testing.assert_array_equal(heads.QuickDropout(share, seed=3)(ones, training=True).numpy(), first)


def test_values_are_dropped_independently_of_their_neighbours() -> None:
    found = heads.QuickDropout(0.5, seed=0)(np.ones((400, 256), np.float32), training=True).numpy()
    for distance in (1, 2, 3, 4, 16):
        assert abs(np.corrcoef(found[:, distance:].ravel(), found[:, :-distance].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(found[1:].ravel(), found[:-1].ravel())[0, 1]) < 0.02


def test_gradients_pass_where_values_are_kept() -> None:
    layer, values = heads.QuickDropout(0.5, seed=1), tf.Variable(np.full((20, 30), 2, np.float32))
    with tf.GradientTape() as tape:
        found = layer(values, training=True)
    np.testing.assert_array_equal(tape.gradient(found, values).numpy(), found.numpy() / 2)
