"""MobileNetV3 in its two sizes; the network scales the pixels itself."""

from typing import Any

from backbones.embedding import embed
from backbones.registry import PRETRAINED, BackboneSpec, backbone

_PAPERS = ("Howard et al. 2019, Searching for MobileNetV3, https://arxiv.org/abs/1905.02244",)


@backbone(default_size=224, minimum_size=32, gflops=0.1098, weights=PRETRAINED, papers=_PAPERS)
def mobilenetv3small(pixels: Any, spec: BackboneSpec) -> Any:
    """576 maps, the cheapest pretrained backbone."""
    return embed("MobileNetV3Small", pixels, spec)


@backbone(default_size=224, minimum_size=32, gflops=0.4282, weights=PRETRAINED, papers=_PAPERS)
def mobilenetv3large(pixels: Any, spec: BackboneSpec) -> Any:
    """960 maps."""
    return embed("MobileNetV3Large", pixels, spec)
