"""Two convolutional towers that see the same pixels through kernels of different sizes."""

from typing import Any

from backbones.registry import SCRATCH, BackboneSpec, backbone


@backbone(
    default_size=224,
    minimum_size=8,
    gflops=46.283,
    weights=SCRATCH,
    papers=("Ciresan et al. 2012, Multi-column deep neural networks, https://arxiv.org/abs/1202.2745",),
)
def twotowers(pixels: Any, spec: BackboneSpec) -> Any:
    """1024 features from the concatenated maps of towers with kernels 5, 4, 3 and 3, 4, 3."""
    from keras import layers

    x = layers.Rescaling(1 / 255, dtype="float32", name="preprocessing")(pixels)
    towers = [_tower(x, "wide", (5, 4, 3)), _tower(x, "narrow", (3, 4, 3))]
    x = layers.Concatenate(name="towers")(towers)
    x = layers.Flatten(name="flattened")(x)
    x = layers.Dropout(0.2, name="flattened_dropout")(x)
    for step in (1, 2):
        x = layers.Dense(1024, activation="relu", name=f"hidden{step}")(x)
        x = layers.Dropout(0.2, name=f"hidden{step}_dropout")(x)
    return x


def _tower(x: Any, tower: str, kernels: tuple[int, int, int]) -> Any:
    """Maps (N, size / 8, size / 8, 256) of three blocks, one kernel size each."""
    from keras import layers

    for block, (filters, kernel) in enumerate(zip((64, 128, 256), kernels, strict=True), start=1):
        for step in (1, 2):
            name = f"{tower}{block}_conv{step}"
            x = layers.Conv2D(filters, kernel, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2, name=f"{tower}{block}_pool")(x)
        x = layers.Dropout(0.2, name=f"{tower}{block}_dropout")(x)
    return x
