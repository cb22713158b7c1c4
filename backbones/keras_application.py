"""Any network of keras.applications, chosen by `application`."""

from typing import Any

from backbones.embedding import embed
from backbones.registry import PRETRAINED, BackboneSpec, backbone


@backbone(
    default_size=224,
    minimum_size=32,
    weights=PRETRAINED,
    papers=(
        "The documentation of keras.applications names the paper of every network: https://keras.io/api/applications",
    ),
)
def keras_application(pixels: Any, spec: BackboneSpec) -> Any:
    """The maps of the network that `spec.application` names; sizes are the network's own."""
    assert spec.application is not None
    return embed(spec.application, pixels, spec)
