"""Sizes of the networks of five studies, as those studies report them."""

import keras
import pytest

from backbones.build import build, trunk
from backbones.cost import parameter_counts
from backbones.registry import BackboneSpec


@pytest.fixture(autouse=True)
def _unallocated():
    """Networks of up to 415 million parameters, without memory for them."""
    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.utils.clear_session()


def build_backbone(name: str, size: int, pooling: str, application: str | None = None) -> keras.Model:
    spec = {"name": name, "weights": "none", "pooling": pooling, "application": application}
    return build(BackboneSpec.model_validate(spec), size, None)


@pytest.mark.parametrize(
    ("name", "application", "total", "trainable", "features"),
    [
        ("mobilenetv3small", None, 939_120, 927_008, 576),
        ("mobilenetv3large", None, 2_996_352, 2_971_952, 960),
        ("resnet50v2", None, 23_564_800, 23_519_360, 2048),
        ("inceptionv3", None, 21_802_784, 21_768_352, 2048),
        ("xception", None, 20_861_480, 20_806_952, 2048),
        ("keras_application", "EfficientNetB2", 7_768_569, 7_700_994, 1408),
        ("keras_application", "ResNet50", 23_587_712, 23_534_592, 2048),
        ("keras_application", "VGG16", 14_714_688, 14_714_688, 512),
    ],
)
def test_a_pretrained_network_without_its_top_has_the_published_size(name, application, total, trainable, features):
    model = build_backbone(name, 224, "avg", application)
    assert parameter_counts(model) == (total, trainable)
    assert model.output_shape == (None, features)


@pytest.mark.parametrize(
    ("name", "classes", "total", "trainable"),
    [
        ("shallownet", 10, 16_057_226, 16_057_226),
        ("lenet", 10, 78_432_080, 78_432_080),
        ("minivgg", 10, 102_834_474, 102_833_066),
        ("vggstyle", 2, 208_609_154, 208_609_154),
        ("twotowers", 2, 414_797_954, 414_797_954),
    ],
)
def test_a_network_from_scratch_with_a_softmax_layer_has_the_reported_size(name, classes, total, trainable):
    model = build_backbone(name, 224, "flatten")
    classifier = keras.Model(model.input, keras.layers.Dense(classes, activation="softmax")(model.output))
    assert parameter_counts(classifier) == (total, trainable)


def test_the_last_six_layers_of_xception_hold_what_a_study_trained():
    model = build_backbone("xception", 224, "flatten")
    for layer in trunk(model)[:-6]:
        layer.trainable = False
    wide = model.output_shape[1]
    head = 2 * wide + (wide * 1024 + 1024) + (1024 * 1024 + 1024) + (1024 * 2 + 2)
    assert parameter_counts(model).trainable + head == 108_762_626
    assert parameter_counts(model).total + head + 2 * wide == 125_076_010
