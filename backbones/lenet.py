"""LeNet with rectified units and 500 hidden ones, as it is usually written today."""

from typing import Any

from backbones.registry import SCRATCH, BackboneSpec, backbone


@backbone(
    default_size=32,
    minimum_size=4,
    gflops=0.0191,
    weights=SCRATCH,
    papers=("LeCun et al. 1998, Gradient-based learning applied to document recognition, doi:10.1109/5.726791",),
)
def lenet(pixels: Any, spec: BackboneSpec) -> Any:
    """500 features after two convolutions, each followed by pooling, and one dense layer."""
    from keras import layers

    x = layers.Rescaling(1 / 255, dtype="float32", name="preprocessing")(pixels)
    for block, filters in enumerate((20, 50), start=1):
        x = layers.Conv2D(filters, 5, padding="same", activation="relu", name=f"conv{block}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    x = layers.Flatten(name="flattened")(x)
    return layers.Dense(500, activation="relu", name="hidden")(x)
