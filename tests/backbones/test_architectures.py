"""The networks from scratch, layer by layer, as the studies describe them."""

import keras
import pytest

from backbones.build import build, trunk
from backbones.registry import BackboneSpec

RESCALED = "x 1/255"


def describe(layer: keras.layers.Layer) -> str:
    """`conv 32 3x3 same relu`, `pool 2`, `drop 0.25` and so on."""
    match layer:
        case keras.layers.Rescaling():
            return RESCALED if layer.scale == 1 / 255 and layer.offset == 0 else "other scaling"
        case keras.layers.Conv2D():
            kernel = "x".join(map(str, layer.kernel_size))
            return f"conv {layer.filters} {kernel} {layer.padding} {layer.activation.__name__}"
        case keras.layers.Dense():
            return f"dense {layer.units} {layer.activation.__name__}"
        case keras.layers.Dropout():
            return f"drop {layer.rate}"
        case keras.layers.MaxPooling2D():
            return f"pool {layer.pool_size[0]}"
    return type(layer).__name__.lower()


def built(name: str) -> keras.Model:
    return build(BackboneSpec(name=name, weights="none", pooling="flatten", application=None), 32, None)


def conv(filters: int, size: int) -> str:
    return f"conv {filters} {size}x{size} same relu"


def minivgg_block(filters: int) -> list[str]:
    return [conv(filters, 3), "batchnormalization"] * 2 + ["pool 2", "drop 0.25"]


def vggstyle_block(filters: int) -> list[str]:
    return [conv(filters, 4)] * 2 + ["pool 2", "drop 0.1"]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("shallownet", [conv(32, 3), "flatten"]),
        ("lenet", [conv(20, 5), "pool 2", conv(50, 5), "pool 2", "flatten", "dense 500 relu"]),
        (
            "minivgg",
            [*minivgg_block(32), *minivgg_block(64), "flatten", "dense 512 relu", "batchnormalization", "drop 0.5"],
        ),
        (
            "vggstyle",
            [*vggstyle_block(64), *vggstyle_block(128), *vggstyle_block(256), "flatten"]
            + ["dense 1024 relu", "drop 0.1"] * 2,
        ),
    ],
)
def test_a_network_from_scratch_is_the_one_of_its_study(name, layers):
    assert [describe(layer) for layer in built(name).layers[1:]] == [RESCALED, *layers]


@pytest.mark.parametrize(("tower", "kernels"), [("wide", (5, 4, 3)), ("narrow", (3, 4, 3))])
def test_the_two_towers_differ_in_their_kernels_only(tower, kernels):
    layers = [layer for layer in built("twotowers").layers if layer.name.startswith(tower)]
    expected = []
    for filters, kernel in zip((64, 128, 256), kernels, strict=True):
        expected += [conv(filters, kernel), conv(filters, kernel), "pool 2", "drop 0.2"]
    assert [describe(layer) for layer in layers] == expected


def test_the_two_towers_meet_before_the_dense_layers():
    end = [describe(layer) for layer in trunk(built("twotowers"))[-7:]]
    assert end == ["concatenate", "flatten", "drop 0.2", *["dense 1024 relu", "drop 0.2"] * 2]
