"""A VGG-style network with kernels of 4 pixels and two wide dense layers."""

from typing import Any

from backbones.registry import SCRATCH, BackboneSpec, backbone


@backbone(
    default_size=224,
    minimum_size=8,
    gflops=27.028,
    weights=SCRATCH,
    papers=("Simonyan and Zisserman 2014, Very deep convolutional networks, https://arxiv.org/abs/1409.1556",),
)
def vggstyle(pixels: Any, spec: BackboneSpec) -> Any:
    """1024 features after three blocks of two convolutions and two dense layers, little dropout all along."""
    from keras import layers

    x = layers.Rescaling(1 / 255, dtype="float32", name="preprocessing")(pixels)
    for block, filters in enumerate((64, 128, 256), start=1):
        for step in (1, 2):
            x = layers.Conv2D(filters, 4, padding="same", activation="relu", name=f"block{block}_conv{step}")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
        x = layers.Dropout(0.1, name=f"block{block}_dropout")(x)
    x = layers.Flatten(name="flattened")(x)
    for step in (1, 2):
        x = layers.Dense(1024, activation="relu", name=f"hidden{step}")(x)
        x = layers.Dropout(0.1, name=f"hidden{step}_dropout")(x)
    return x
