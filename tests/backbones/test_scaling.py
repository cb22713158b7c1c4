"""The scaling inside each backbone is the one that keras.applications documents for it, and no other would do."""

import keras
import numpy as np
import pytest

from backbones.applications import APPLICATIONS
from backbones.build import build
from backbones.registry import BackboneSpec

FAMILIES = {application.module: name for name, application in reversed(APPLICATIONS.items())}
"""A member of each module of keras.applications, its first."""
COMPARED = ("VGG16", "DenseNet121", "ResNet50V2")
COMPARED += ("ConvNeXtTiny", "EfficientNetB0", "EfficientNetV2B0", "MobileNetV3Small", "MobileNetV3Large")
"""One for each way of scaling, and all families that scale the pixels themselves."""


def build_application(name: str, size: int) -> keras.Model:
    spec = BackboneSpec(name="keras_application", weights="none", pooling="avg", application=name)
    return build(spec, size, None)


def pictures(size: int, seed: int = 0) -> np.ndarray:
    """Four pictures of noise, each brighter than the one before, (4, size, size, 3), float32, whole numbers 0..255."""
    noise = np.random.default_rng(seed).uniform(0, 1, (4, size, size, 3))
    return np.round(noise * np.array([64, 128, 192, 255]).reshape(4, 1, 1, 1)).astype("float32")


@pytest.fixture
def unallocated():
    """Networks of any size, without memory for their weights."""
    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.utils.clear_session()


def test_the_table_names_every_network_of_keras_applications():
    offered = {name for name in dir(keras.applications) if name[0].isupper()}
    assert set(APPLICATIONS) == offered


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_refuses_what_is_below_its_minimum(name):
    below = APPLICATIONS[name].minimum_size - 1
    with pytest.raises(ValueError, match=r"at least"):
        getattr(keras.applications, name)(include_top=False, weights=None, input_shape=(below, below, 3))


@pytest.mark.parametrize("name", FAMILIES.values())
def test_an_application_works_at_its_minimum(name, unallocated):
    size = APPLICATIONS[name].minimum_size
    assert build_application(name, size).output_shape[0] is None


@pytest.mark.parametrize("name", [name for name in FAMILIES.values() if APPLICATIONS[name].scaling != "inside"])
def test_pixels_are_scaled_as_the_family_does_it(name, unallocated):
    size = APPLICATIONS[name].minimum_size
    model = build_application(name, size)
    scaled = keras.Model(model.input, model.get_layer("preprocessing").output)
    family = getattr(keras.applications, APPLICATIONS[name].module)
    given = pictures(size)
    expected = family.preprocess_input(given.copy())
    assert np.abs(scaled(given) - expected).max() <= 1e-4
    assert np.abs(given - expected).max() > 1, "the control: unscaled pixels are something else"
    assert np.abs(scaled(given[..., ::-1]) - expected).max() > 0.1, "the control: so are pixels in another order"


@pytest.mark.parametrize("name", COMPARED)
def test_features_are_those_of_the_published_network_behind_its_own_preprocessing(name):
    keras.utils.set_random_seed(3)
    size = APPLICATIONS[name].minimum_size
    model = build_application(name, size)
    # Untrained networks answer almost the same to everything; stronger weights make a difference visible.
    model.set_weights([value * 1.5 if value.ndim > 1 else value for value in model.get_weights()])
    published = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg"
    )
    published.set_weights(model.get_weights())
    preprocess = getattr(keras.applications, APPLICATIONS[name].module).preprocess_input
    given = pictures(size)
    expected = published(preprocess(given.copy())).numpy()
    spread = np.std(expected, axis=0).max()
    error = np.abs(model(given) - expected).max()
    assert error <= 1e-3 * spread
    wrong = published(given / 255).numpy()
    assert np.abs(wrong - expected).max() > 30 * max(error, 1e-3 * spread), "the control: another scaling shows"


def test_the_scaling_stays_exact_under_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build_application("ResNet50", 32)
    finally:
        keras.config.set_dtype_policy(policy)
    scaled = keras.Model(model.input, model.get_layer("preprocessing").output)
    expected = keras.applications.resnet.preprocess_input(pictures(32))
    assert np.abs(scaled(pictures(32)) - expected).max() <= 1e-4
