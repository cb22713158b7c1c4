"""What every backbone promises, checked on each one that is registered; a new file is checked without a change here."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from backbones import registry
from backbones.build import build, trunk
from backbones.registry import BackboneSpec

# Keras's own conversion of variables, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def spec_of(name: str, pooling: str | None = None) -> BackboneSpec:
    """The backbone with random weights; keras_application is represented by a small network that reverses channels."""
    application = "VGG16" if name == registry.ANY_APPLICATION else None
    pooling = pooling or registry.find(name).poolings[0]
    return BackboneSpec.model_validate(
        {"name": name, "weights": "none", "pooling": pooling, "application": application}
    )


def pictures(size: int, seed: int = 0) -> np.ndarray:
    """Two pictures of noise, (2, size, size, 3), float32, 0..255."""
    return np.random.default_rng(seed).integers(0, 256, (2, size, size, 3)).astype("float32")


@pytest.fixture(params=registry.names(), scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def smallest(name):
    """The backbone for images of its minimum size."""
    keras.utils.set_random_seed(1)
    return build(spec_of(name), registry.find(name).minimum_size, None)


def test_pixels_go_in_and_finite_features_come_out(name, smallest):
    size = registry.find(name).minimum_size
    assert smallest.input.name == "pixels"
    assert smallest.input.dtype == "float32"
    assert smallest.input_shape == (None, size, size, 3)
    assert smallest.name == name
    features = smallest(pictures(size)).numpy()
    assert features.shape == (2, smallest.output_shape[1])
    assert np.isfinite(features).all()
    assert np.ptp(features, axis=0).max() > 0, "two pictures must not look the same"
    assert np.abs(features).max() < 1e4, "pixels 0..255 must be scaled inside"


def test_the_model_is_flat(name, smallest):
    assert not [layer for layer in smallest.layers if isinstance(layer, keras.Model)]
    assert len([layer for layer in smallest.layers if isinstance(layer, keras.layers.InputLayer)]) == 1


def test_the_minimum_size_is_the_true_one(name):
    entry = registry.find(name)
    with pytest.raises(registry.ImageTooSmall):
        build(spec_of(name), entry.minimum_size - 1, None)
    if entry.minimum_size > 1:
        smaller = keras.Input((entry.minimum_size - 1, entry.minimum_size - 1, 3))
        with pytest.raises(ValueError, match=r"(?i)at least|negative|<= 0|zero|dimension"):
            entry.build(smaller, spec_of(name))


def test_it_saves_and_loads_without_custom_objects(name, smallest, tmp_path):
    path = tmp_path / "model.keras"
    smallest.save(path)
    loaded = keras.models.load_model(path)
    path.unlink()
    size = registry.find(name).minimum_size
    np.testing.assert_allclose(loaded(pictures(size)), smallest(pictures(size)), rtol=1e-5, atol=1e-6)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(name, smallest):
    size = registry.find(name).minimum_size

    def seeded(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return build(spec_of(name), size, None).get_weights()

    first = smallest.get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(first, seeded(1), strict=True))
    assert not all(np.array_equal(one, other) for one, other in zip(first, seeded(2), strict=True))


def test_a_network_from_scratch_works_at_its_default_size():
    for name in ("shallownet", "lenet", "minivgg"):
        size = registry.default_size(name, None)
        assert np.isfinite(build(spec_of(name), size, None)(pictures(size))).all()


@pytest.mark.parametrize(("pooling", "features"), [("avg", 576), ("max", 576), ("flatten", 4 * 576)])
def test_pooling_makes_a_vector_of_the_maps(pooling, features):
    keras.utils.set_random_seed(0)
    model = build(spec_of("mobilenetv3small", pooling), 64, None)
    assert model.output_shape == (None, features)
    vector = model(pictures(64)).numpy()
    maps = keras.Model(model.input, trunk(model)[-1].output)(pictures(64)).numpy()
    assert maps.shape == (2, 2, 2, 576)
    expected = {"avg": maps.mean((1, 2)), "max": maps.max((1, 2)), "flatten": maps.reshape(2, -1)}[pooling]
    np.testing.assert_allclose(vector, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pooling", ["max", "flatten"])
def test_the_trunk_ends_where_the_published_network_ends(pooling):
    model = build(spec_of("xception", pooling), 71, None)
    last = [layer.name for layer in trunk(model)[-6:]]
    assert last == [f"block14_sepconv{n}{part}" for n in (1, 2) for part in ("", "_bn", "_act")]
    published = keras.applications.Xception(include_top=False, weights=None, input_shape=(71, 71, 3))
    weighty = [type(layer) for layer in trunk(model) if layer.weights]
    assert weighty == [type(layer) for layer in published.layers if layer.weights]


def test_mixed_precision_reaches_the_layers_but_not_the_pixels():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(spec_of(registry.ANY_APPLICATION), 32, None)
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.input.dtype == "float32"
    assert model.get_layer("preprocessing").output.dtype == "float32"
    assert model.output.dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {"float32"}


def test_a_saved_backbone_needs_keras_and_nothing_of_this_project(tmp_path):
    path = tmp_path / "model.keras"
    build(spec_of(registry.ANY_APPLICATION), 32, None).save(path)
    program = (
        "import sys, keras\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "sys.exit(any(name.startswith('backbones') for name in sys.modules) or model.input.name != 'pixels')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
