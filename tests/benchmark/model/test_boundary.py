from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from benchmark.model import boundary, classifier, heads
from benchmark.model.stages import Stage
from benchmark.spec import HeadSpec, RunSpec

SpecOf = Callable[..., RunSpec]
Part = Callable[..., dict[str, Any]]


def stage(mode: Any, last_n: int | None = None) -> Stage:
    return Stage(mode, last_n, 1, 0.001)


@pytest.fixture(scope="module")
def branched(conf_part: Part) -> classifier.Classifier:
    """A backbone with a branch around its last but one convolution, and batch norm and dropout everywhere."""
    layers = keras.layers
    pixels = keras.Input((8, 8, 3), name="pixels")
    first = layers.BatchNormalization(name="norm_1")(layers.Conv2D(4, 3, padding="same", name="conv_1")(pixels))
    dropped = layers.Dropout(0.5, seed=1, name="drop_1")(first)
    second = layers.BatchNormalization(name="norm_2")(layers.Conv2D(4, 3, padding="same", name="conv_2")(dropped))
    joined = layers.Add(name="add")([dropped, second])
    third = layers.Conv2D(5, 1, name="conv_3")(joined)
    features = layers.GlobalAveragePooling2D(name="pool")(third)
    backbone = keras.Model(pixels, features, name="branched")
    return classifier.assemble(backbone, heads.layers(HeadSpec(**conf_part("head", "linear")), 3, 0))


PICTURES = np.random.default_rng(0).uniform(0, 1, (5, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("wanted", [stage("frozen"), stage("full"), *(stage("last_n", n) for n in range(1, 8))])
def test_the_two_parts_in_sequence_are_the_whole(branched: classifier.Classifier, wanted: Stage) -> None:
    split = boundary.split(branched, wanted)
    below = PICTURES if split.below is None else split.below(PICTURES, training=False)
    expected = branched.logits(PICTURES, training=False).numpy()
    assert np.ptp(expected, axis=0).max() > 1e-3
    np.testing.assert_allclose(split.above(below, training=False).numpy(), expected, atol=1e-5)


def test_a_branch_crosses_the_boundary_as_a_second_tensor(branched: classifier.Classifier) -> None:
    split = boundary.split(branched, stage("last_n", 4))
    assert [layer.name for layer in boundary.last_layers(branched.backbone, 4)] == ["conv_2", "norm_2", "add", "conv_3"]
    assert [tensor.shape for tensor in split.above.inputs] == [(None, 8, 8, 4)]
    split = boundary.split(branched, stage("last_n", 3))
    assert sorted(tensor.shape for tensor in split.above.inputs) == [(None, 8, 8, 4), (None, 8, 8, 4)]


def test_only_the_last_layers_and_the_head_are_trainable(branched: classifier.Classifier) -> None:
    split = boundary.split(branched, stage("last_n", 4))
    names = {weight.path.split("/")[0] for weight in branched.model.trainable_weights}
    assert names == {"conv_2", "norm_2", "conv_3", "head_logits"}
    assert len(split.above.trainable_variables) == len(branched.model.trainable_weights)


def test_dropout_before_the_boundary_is_off_while_the_rest_trains(branched: classifier.Classifier) -> None:
    split = boundary.split(branched, stage("last_n", 4))
    assert split.below is not None
    first, second = split.below(PICTURES, training=False), split.below(PICTURES, training=False)
    np.testing.assert_array_equal(first[0].numpy(), second[0].numpy())


def test_flags_follow_the_stage_back_and_forth(branched: classifier.Classifier) -> None:
    counts = []
    for wanted in (stage("full"), stage("frozen"), stage("full")):
        boundary.split(branched, wanted)
        counts.append(classifier.parameters(branched).trainable)
    assert counts[0] == counts[2]
    assert counts[1] == 5 * 3 + 3


def test_more_layers_than_there_are_is_refused(branched: classifier.Classifier) -> None:
    with pytest.raises(boundary.TooManyLayers, match=r"finetune.last_n=8; expected at most 7"):
        boundary.last_layers(branched.backbone, 8)


def test_the_xception_of_the_tank_study_has_its_counts(spec_of: SpecOf, conf_part: Part) -> None:
    spec = spec_of("xception", 224, pooling="flatten", head="wide", finetune=conf_part("finetune", "last_n", last_n=6))
    built = classifier.build(spec, 2, None, None)
    boundary.split(built, stage("last_n", 6))
    found = classifier.parameters(built)
    assert (found.total, found.trainable) == (125_076_010, 108_762_626)


@pytest.mark.parametrize(
    ("backbone", "head", "pooling", "classes", "total", "trainable"),
    [
        ("mobilenetv3small", "linear", "avg", 10, 944_890, 5_770),
        ("mobilenetv3small", "dense", "avg", 10, 1_014_266, 75_146),
        ("mobilenetv3large", "linear", "avg", 10, 3_005_962, 9_610),
        ("mobilenetv3large", "dense", "avg", 10, 3_120_650, 124_298),
        ("mobilenetv3small", "dense_bn", "max", 3, 1_088_627, 148_995),
    ],
)
def test_frozen_backbones_with_heads_have_the_counts_of_their_studies(
    backbone: str,
    head: str,
    pooling: str,
    classes: int,
    total: int,
    trainable: int,
    spec_of: SpecOf,
    conf_part: Part,
) -> None:
    units = [256] if head == "dense_bn" else conf_part("head", head)["units"]
    spec = spec_of(backbone, 224, pooling=pooling, head=conf_part("head", head, units=units), finetune="frozen")
    built = classifier.build(spec, classes, None, None)
    boundary.split(built, stage("frozen"))
    found = classifier.parameters(built)
    assert (found.total, found.trainable) == (total, trainable)
