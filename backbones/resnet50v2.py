"""ResNet50V2: 50 layers of residual blocks with pre-activation."""

from typing import Any

from backbones.embedding import embed
from backbones.registry import PRETRAINED, BackboneSpec, backbone


@backbone(
    default_size=224,
    minimum_size=32,
    gflops=6.96,
    weights=PRETRAINED,
    papers=("He et al. 2016, Identity mappings in deep residual networks, https://arxiv.org/abs/1603.05027",),
)
def resnet50v2(pixels: Any, spec: BackboneSpec) -> Any:
    """2048 maps."""
    return embed("ResNet50V2", pixels, spec)
