"""Names, sizes and wishes are answered without Keras; whatever cannot be answered says what would work."""

import subprocess
import sys
from pathlib import Path

import pytest

import backbones
from backbones import registry
from backbones.applications import APPLICATIONS
from backbones.registry import BackboneSpec

IDENTITY = "xception.weights.h5@sha256:0123456789abcdef"


def spec(name: str, **wishes: str | None) -> BackboneSpec:
    pretrained = name not in ("shallownet", "lenet", "minivgg", "vggstyle", "twotowers")
    given = {"weights": "none", "pooling": "avg" if pretrained else "flatten", "application": None}
    return BackboneSpec.model_validate({"name": name, **given, **wishes})


@pytest.fixture
def extra_folder(tmp_path, monkeypatch):
    """A folder that counts as part of the package, as another installed part of it would."""
    monkeypatch.setattr(backbones, "__path__", [*backbones.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("backbones."):
            del sys.modules[name]


def test_listing_and_checking_load_neither_keras_nor_tensorflow():
    program = f"""
import sys
from backbones import registry
for name in registry.names():
    registry.find(name)
registry.check(registry.BackboneSpec(name="xception", weights={IDENTITY!r}, pooling="avg", application=None), 299)
registry.default_size("keras_application", "EfficientNetB2")
loaded = {{"keras", "tensorflow", "numpy", "h5py"}} & set(sys.modules)
sys.exit(f"loaded {{loaded}}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_networks_of_the_studies_are_registered():
    assert {
        "shallownet", "lenet", "minivgg", "vggstyle", "twotowers", "mobilenetv3small", "mobilenetv3large", "resnet50v2",
        "inceptionv3", "xception", "keras_application",
    } <= set(registry.names())  # fmt: skip
    assert not registry.broken()


def test_a_misspelt_name_brings_the_nearest_and_the_list():
    with pytest.raises(registry.UnknownBackbone, match="'mobilenetv3smal'; did you mean 'mobilenetv3small'") as caught:
        registry.find("mobilenetv3smal")
    assert all(name in str(caught.value) for name in registry.names())


def test_a_new_file_in_the_folder_is_a_new_backbone(extra_folder: Path):
    (extra_folder / "tiny.py").write_text(
        "from backbones.registry import SCRATCH, backbone\n\n"
        "@backbone(default_size=8, minimum_size=2, weights=SCRATCH, papers=())\n"
        "def tiny(pixels, spec):\n    return pixels\n"
    )
    assert "tiny" in registry.names()
    assert registry.find("tiny").default_size == 8
    assert registry.find("tiny").weights == ("none", "PATH")


def test_a_file_that_cannot_be_imported_is_named_with_the_reason_and_hides_no_other(extra_folder: Path):
    (extra_folder / "torn.py").write_text("import no_such_package_anywhere\n")
    assert "lenet" in registry.names()
    assert "torn" not in registry.names()
    assert list(registry.broken()) == ["torn"]
    with pytest.raises(
        registry.BrokenBackbone, match=r"backbones/torn\.py .* No module named 'no_such_package_anywhere'"
    ):
        registry.find("torn")
    with pytest.raises(registry.UnknownBackbone, match=r"backbones/torn\.py cannot be imported"):
        registry.find("torn_large")


def test_a_file_with_a_syntax_error_is_broken_not_fatal(extra_folder: Path):
    (extra_folder / "torn.py").write_text("def torn(:\n")
    assert isinstance(registry.broken()["torn"], SyntaxError)


def test_two_backbones_of_one_name_are_refused(extra_folder: Path):
    (extra_folder / "second.py").write_text(
        "from backbones.registry import SCRATCH, backbone\n\n"
        "@backbone(default_size=8, minimum_size=2, weights=SCRATCH, papers=())\n"
        "def lenet(pixels, spec):\n    return pixels\n"
    )
    assert isinstance(registry.broken()["second"], registry.DuplicateBackbone)
    assert registry.find("lenet").build.__module__ == "backbones.lenet"


@pytest.mark.parametrize(
    ("wish", "size", "error", "sentence"),
    [
        (spec("xception"), 70, registry.ImageTooSmall, "70 pixels are too small for xception, expected 71 or more"),
        (
            spec("keras_application", application="InceptionResNetV2"), 74, registry.ImageTooSmall,
            "too small for InceptionResNetV2, expected 75",
        ),
        (spec("lenet", weights="imagenet"), 32, registry.UnsuitableSpec, "lenet has no 'imagenet' weights"),
        (spec("lenet", weights="imagnet"), 32, registry.UnsuitableSpec, "unknown weights 'imagnet' for lenet"),
        (spec("xception", weights="imagnet"), 71, registry.UnsuitableSpec, "did you mean 'imagenet'"),
        (spec("lenet", pooling="avg"), 32, registry.UnsuitableSpec, "set backbone.pooling=flatten"),
        (spec("keras_application"), 224, registry.UnsuitableSpec, "found backbone.application=null"),
        (spec("xception", application="VGG16"), 224, registry.UnsuitableSpec, "set backbone=keras_application"),
        (
            spec("keras_application", application="resnet50"), 224, registry.UnknownBackbone,
            "unknown application 'resnet50'; did you mean 'ResNet50'",
        ),
        (spec("lenett"), 32, registry.UnknownBackbone, "did you mean 'lenet'"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_fulfilled_says_what_can(wish, size, error, sentence):
    with pytest.raises(error) as caught:
        registry.check(wish, size)
    assert sentence in str(caught.value)
    assert isinstance(caught.value, registry.BackboneError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", ["none", "imagenet", IDENTITY])
def test_a_pretrained_backbone_takes_every_kind_of_weights(weights):
    registry.check(spec("xception", weights=weights), 71)


@pytest.mark.parametrize("weights", ["none", IDENTITY])
def test_a_network_from_scratch_takes_weights_from_a_file(weights):
    registry.check(spec("minivgg", weights=weights), 32)


def test_an_unknown_pooling_or_key_is_refused_by_the_spec():
    with pytest.raises(ValueError, match="'avg', 'max' or 'flatten'"):
        spec("xception", pooling="mean")
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        spec("xception", size="299")
    with pytest.raises(ValueError, match="Field required"):
        BackboneSpec.model_validate({"name": "lenet"})


@pytest.mark.parametrize(
    ("name", "application", "size"),
    [
        ("minivgg", None, 32),
        ("twotowers", None, 224),
        ("xception", None, 299),
        ("keras_application", "EfficientNetB2", 260),
        ("keras_application", "NASNetLarge", 331),
    ],
)
def test_the_default_size_is_the_one_the_network_was_designed_for(name, application, size):
    assert registry.default_size(name, application) == size


def test_every_size_in_the_table_of_applications_makes_sense():
    for name, application in APPLICATIONS.items():
        assert 32 <= application.minimum_size < application.default_size, name
