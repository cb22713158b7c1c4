"""Weights come from a file entirely or not at all, and a refusal names the file, the backbone and the way out."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from backbones.build import build
from backbones.registry import BackboneSpec
from backbones.weights import WeightsDoNotFit, WeightsUnavailable

# Keras's own conversion of variables, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def spec_of(name: str, weights: str = "none", application: str | None = None) -> BackboneSpec:
    pooling = "flatten" if name in ("lenet", "minivgg", "shallownet") else "avg"
    return BackboneSpec.model_validate(
        {"name": name, "weights": weights, "pooling": pooling, "application": application}
    )


def load(path: Path, name: str = "mobilenetv3small", size: int = 32, application: str | None = None) -> keras.Model:
    return build(spec_of(name, f"{path.name}@sha256:0123456789abcdef", application), size, path)


def published(size: int = 32) -> keras.Model:
    """MobileNetV3Small as Keras gives it, with weights of its own."""
    keras.utils.set_random_seed(7)
    return keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(size, size, 3))


def save_legacy(model: keras.Model, path: Path) -> None:
    """Write weights as Keras 2 did: groups in the order of the layers, named in attributes."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.2.4"
        file.attrs["backend"] = b"tensorflow"
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0".encode() for weight in layer.weights]
            group.attrs["weight_names"] = names
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name.decode(), data=value)


def assert_same(model: keras.Model, other: keras.Model) -> None:
    for one, another in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, another)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
def test_weights_of_the_published_network_are_taken_from_every_format(tmp_path, ending):
    path = tmp_path / f"published{ending}"
    source = published()
    if ending == ".weights.h5":
        source.save_weights(path)
    elif ending == ".keras":
        source.save(path)
    else:
        save_legacy(source, path)
    assert_same(load(path), source)


def test_weights_of_a_network_whose_pixels_are_scaled_by_a_layer_of_ours_fit_as_well(tmp_path):
    keras.utils.set_random_seed(5)
    source = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3), pooling="max")
    for path in (tmp_path / "vgg.weights.h5", tmp_path / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"):
        source.save_weights(path) if path.name.endswith("weights.h5") else save_legacy(source, path)
        loaded = load(path, "keras_application", 32, "VGG16")
        path.unlink()
        assert_same(loaded, source)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_a_backbone_of_ours_can_be_saved_and_taken_up_again_at_another_size(tmp_path, ending):
    keras.utils.set_random_seed(2)
    source = build(spec_of("mobilenetv3small"), 32, None)
    path = tmp_path / f"own{ending}"
    source.save_weights(path) if ending == ".weights.h5" else source.save(path)
    assert_same(load(path, size=64), source)


@pytest.mark.parametrize("shape", ["flat", "nested"])
def test_a_classifier_lends_its_backbone(tmp_path, shape):
    source = build(spec_of("minivgg"), 32, None)
    pixels = source.input if shape == "flat" else keras.Input((32, 32, 3))
    x = source.output if shape == "flat" else source(pixels)
    x = keras.layers.BatchNormalization()(keras.layers.Dense(16, activation="relu")(x))
    classifier = keras.Model(pixels, keras.layers.Dense(3, activation="softmax")(x))
    classifier.compile("adam", "sparse_categorical_crossentropy")
    classifier.fit(np.ones((4, 32, 32, 3), "float32"), np.array([0, 1, 2, 0]), verbose=0)
    path = tmp_path / "classifier.keras"
    classifier.save(path)
    assert_same(load(path, "minivgg", 32), source)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
@pytest.mark.parametrize("other", ["mobilenetv3large", "minivgg", "lenet"])
def test_weights_of_another_network_are_refused(tmp_path, ending, other):
    source = build(spec_of(other), 32, None)
    path = tmp_path / f"other{ending}"
    if ending == ".h5":
        save_legacy(source, path)
    else:
        source.save_weights(path) if ending == ".weights.h5" else source.save(path)
    with pytest.raises(WeightsDoNotFit) as caught:
        load(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "mobilenetv3small" in sentence
    assert "backbone.weights=none" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
def test_weights_of_the_same_network_at_another_size_are_refused_where_they_depend_on_it(tmp_path, ending):
    source = build(spec_of("lenet"), 32, None)
    path = tmp_path / f"small{ending}"
    if ending == ".h5":
        save_legacy(source, path)
    else:
        source.save_weights(path) if ending == ".weights.h5" else source.save(path)
    with pytest.raises(WeightsDoNotFit, match="lenet without its top at 36 pixels"):
        load(path, "lenet", 36)
    assert_same(load(path, "lenet", 32), source)


def test_a_deeper_network_does_not_pass_for_its_own_beginning(tmp_path):
    path = tmp_path / "deep.keras"
    build(spec_of("minivgg"), 32, None).save(path)
    with pytest.raises(WeightsDoNotFit, match="behind its last layer"):
        load(path, "shallownet", 32)


def test_a_file_with_the_top_is_refused(tmp_path):
    source = build(spec_of("lenet"), 32, None)
    classifier = keras.Model(source.input, keras.layers.Dense(10)(source.output))
    path = tmp_path / "classifier.weights.h5"
    classifier.save_weights(path)
    with pytest.raises(WeightsDoNotFit, match="found 8 arrays, expected 6"):
        load(path, "lenet", 32)


def test_a_file_with_a_hole_is_refused(tmp_path):
    source = build(spec_of("lenet"), 32, None)
    path = tmp_path / "hole.weights.h5"
    source.save_weights(path)
    with h5py.File(path, "a") as file:
        file["layers/conv2d/vars/0"][0, 0, 0, 0] = np.nan
    with pytest.raises(WeightsDoNotFit, match="found no number for conv1/kernel"):
        load(path, "lenet", 32)


def test_a_file_with_as_many_arrays_under_other_names_is_refused(tmp_path):
    source = build(spec_of("lenet"), 32, None)
    path = tmp_path / "renamed.weights.h5"
    source.save_weights(path)
    with h5py.File(path, "a") as file:
        file.move("layers/conv2d_1", "layers/convolution")
    with pytest.raises(WeightsDoNotFit, match="arrays of other layers or shapes"):
        load(path, "lenet", 32)


def test_a_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(WeightsUnavailable, match=r"found no weights file .*missing\.weights\.h5 for lenet"):
        load(tmp_path / "missing.weights.h5", "lenet", 32)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
def test_a_file_of_something_else_is_named(tmp_path, ending):
    path = tmp_path / f"text{ending}"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(WeightsUnavailable, match=r"cannot read .*text.* for lenet") as caught:
        load(path, "lenet", 32)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "short.weights.h5"
    build(spec_of("lenet"), 32, None).save_weights(path)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(WeightsUnavailable, match="expected a complete HDF5 file"):
        load(path, "lenet", 32)


def test_an_unknown_ending_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"PK")
    with pytest.raises(WeightsUnavailable, match=r"ends in \.weights\.h5, \.keras, \.h5"):
        load(path, "lenet", 32)


@pytest.mark.parametrize(("layout", "ending", "right"), [("old", ".weights.h5", ".h5"), ("new", ".h5", ".weights.h5")])
def test_an_ending_that_hides_the_layout_says_how_to_rename(tmp_path, layout, ending, right):
    source = build(spec_of("lenet"), 32, None)
    path = tmp_path / f"file{ending}"
    if layout == "old":
        save_legacy(source, path)
    else:
        source.save_weights(tmp_path / "file.weights.h5")
        (tmp_path / "file.weights.h5").rename(path)
    with pytest.raises(WeightsUnavailable, match=f"rename it to end in {right}$"):
        load(path, "lenet", 32)


def test_a_file_without_its_name_in_the_spec_and_a_name_without_its_file_are_refused(tmp_path):
    with pytest.raises(WeightsUnavailable, match="expected both or neither"):
        build(spec_of("lenet"), 32, tmp_path / "some.weights.h5")
    with pytest.raises(WeightsUnavailable, match="expected both or neither"):
        build(spec_of("lenet", "some.weights.h5@sha256:0123456789abcdef"), 32, None)


MEAN = np.array([0.485, 0.456, 0.406])
DEVIATION = np.array([0.229, 0.224, 0.225])


@pytest.mark.parametrize(("trained_on_imagenet", "ending"), [(True, ".h5"), (True, ".keras"), (False, ".weights.h5")])
def test_efficientnet_weights_from_a_file_see_the_pixels_they_were_trained_on(tmp_path, trained_on_imagenet, ending):
    source = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(32, 32, 3))
    if trained_on_imagenet:
        source.get_layer(index=2).set_weights([MEAN, DEVIATION**2, np.array(0)])
    path = tmp_path / f"efficientnetb0_notop{ending}"
    if ending == ".h5":
        save_legacy(source, path)
    else:
        source.save_weights(path) if ending == ".weights.h5" else source.save(path)
    model = load(path, "keras_application", 32, "EfficientNetB0")
    seen = keras.Model(model.input, model.get_layer("stem_conv_pad").input)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    # What Keras computes for weights="imagenet": normalised, then divided by the root of the deviation once more.
    trained = (pixels / 255 - MEAN) / DEVIATION / np.sqrt(DEVIATION)
    expected = trained if trained_on_imagenet else pixels / 255
    assert np.abs(seen(pixels) - expected).max() < 1e-4
    assert np.abs(trained - pixels / 255).max() > 1, "the control: the two differ"
    assert_same(model, source)


def test_imagenet_weights_that_cannot_be_fetched_are_one_sentence(tmp_path):
    program = (
        "from backbones.build import build\n"
        "from backbones.registry import BackboneSpec\n"
        "spec = BackboneSpec(name='mobilenetv3small', weights='imagenet', pooling='avg', application=None)\n"
        "try:\n    build(spec, 64, None)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    nowhere = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "HTTP", "HTTPS")}
    environment = {**os.environ, **nowhere, "KERAS_HOME": str(tmp_path), "PYTHONWARNINGS": "error:`input_shape`"}
    environment.pop("no_proxy", None)
    environment.pop("NO_PROXY", None)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, env=environment)
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("WeightsUnavailable found no ImageNet weights for MobileNetV3Small (URL fetch failure"), last
    assert last.endswith("set backbone.weights=PATH of a weights file, or backbone.weights=none")
