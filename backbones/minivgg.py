"""MiniVGG: two VGG blocks with batch normalisation, made for images of 32 pixels."""

from typing import Any

from backbones.registry import SCRATCH, BackboneSpec, backbone


@backbone(
    default_size=32,
    minimum_size=4,
    gflops=0.0532,
    weights=SCRATCH,
    papers=(
        "Simonyan and Zisserman 2014, Very deep convolutional networks, https://arxiv.org/abs/1409.1556",
        "Rosebrock 2017, Deep Learning for Computer Vision with Python, volume 1, chapter 15",
    ),
)
def minivgg(pixels: Any, spec: BackboneSpec) -> Any:
    """512 features; batch normalisation comes after the activation, dropout after every block."""
    from keras import layers

    x = layers.Rescaling(1 / 255, dtype="float32", name="preprocessing")(pixels)
    for block, filters in enumerate((32, 64), start=1):
        for step in (1, 2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{step}")(x)
            x = layers.BatchNormalization(name=f"block{block}_norm{step}")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
        x = layers.Dropout(0.25, name=f"block{block}_dropout")(x)
    x = layers.Flatten(name="flattened")(x)
    x = layers.Dense(512, activation="relu", name="hidden")(x)
    x = layers.BatchNormalization(name="hidden_norm")(x)
    return layers.Dropout(0.5, name="hidden_dropout")(x)
