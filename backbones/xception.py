"""Xception: depthwise separable convolutions with residual connections."""

from typing import Any

from backbones.embedding import embed
from backbones.registry import PRETRAINED, BackboneSpec, backbone


@backbone(
    default_size=299,
    minimum_size=71,
    gflops=16.711,
    weights=PRETRAINED,
    papers=("Chollet 2016, Xception, https://arxiv.org/abs/1610.02357",),
)
def xception(pixels: Any, spec: BackboneSpec) -> Any:
    """2048 maps."""
    return embed("Xception", pixels, spec)
