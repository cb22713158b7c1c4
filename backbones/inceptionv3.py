"""InceptionV3: parallel convolutions with factorised kernels."""

from typing import Any

from backbones.embedding import embed
from backbones.registry import PRETRAINED, BackboneSpec, backbone


@backbone(
    default_size=299,
    minimum_size=75,
    gflops=11.422,
    weights=PRETRAINED,
    papers=("Szegedy et al. 2015, Rethinking the Inception architecture, https://arxiv.org/abs/1512.00567",),
)
def inceptionv3(pixels: Any, spec: BackboneSpec) -> Any:
    """2048 maps."""
    return embed("InceptionV3", pixels, spec)
