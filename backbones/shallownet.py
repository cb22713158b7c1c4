"""ShallowNet: one convolution, the least that can be called a convolutional network."""

from typing import Any

from backbones.registry import SCRATCH, BackboneSpec, backbone


@backbone(
    default_size=32,
    minimum_size=1,
    gflops=0.00177,
    weights=SCRATCH,
    papers=("Rosebrock 2017, Deep Learning for Computer Vision with Python, volume 1, chapter 12",),
)
def shallownet(pixels: Any, spec: BackboneSpec) -> Any:
    """Flattened maps of one convolution: 32 values for every pixel."""
    from keras import layers

    x = layers.Rescaling(1 / 255, dtype="float32", name="preprocessing")(pixels)
    x = layers.Conv2D(32, 3, padding="same", activation="relu", name="conv")(x)
    return layers.Flatten(name="flattened")(x)
