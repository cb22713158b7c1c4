"""The networks of keras.applications as plain data, so that a choice can be checked without loading Keras."""

from typing import Literal, NamedTuple

Scaling = Literal["signed", "standardised", "centred_bgr", "inside"]
"""What a network wants done to RGB pixels 0..255.

signed: to -1..1 (Keras calls it "tf"); standardised: to 0..1, then ImageNet's mean and deviation ("torch");
centred_bgr: channels reversed, ImageNet's mean subtracted ("caffe"); inside: nothing, the network does it itself.
"""


class Application(NamedTuple):
    """One network of keras.applications: its module there, its sizes in pixels, the scaling it expects."""

    module: str
    default_size: int
    minimum_size: int
    scaling: Scaling


def _family(module: str, minimum_size: int, scaling: Scaling, /, **sizes: int) -> dict[str, Application]:
    """Members of one family by name, each with its default size."""
    return {name: Application(module, size, minimum_size, scaling) for name, size in sizes.items()}


APPLICATIONS: dict[str, Application] = {
    **_family(
        "convnext",
        32,
        "inside",
        ConvNeXtTiny=224,
        ConvNeXtSmall=224,
        ConvNeXtBase=224,
        ConvNeXtLarge=224,
        ConvNeXtXLarge=224,
    ),
    **_family("densenet", 32, "standardised", DenseNet121=224, DenseNet169=224, DenseNet201=224),
    **_family(
        "efficientnet",
        32,
        "inside",
        EfficientNetB0=224,
        EfficientNetB1=240,
        EfficientNetB2=260,
        EfficientNetB3=300,
        EfficientNetB4=380,
        EfficientNetB5=456,
        EfficientNetB6=528,
        EfficientNetB7=600,
    ),
    **_family(
        "efficientnet_v2",
        32,
        "inside",
        EfficientNetV2B0=224,
        EfficientNetV2B1=240,
        EfficientNetV2B2=260,
        EfficientNetV2B3=300,
        EfficientNetV2S=384,
        EfficientNetV2M=480,
        EfficientNetV2L=480,
    ),
    **_family("inception_resnet_v2", 75, "signed", InceptionResNetV2=299),
    **_family("inception_v3", 75, "signed", InceptionV3=299),
    **_family("mobilenet", 32, "signed", MobileNet=224),
    **_family("mobilenet_v2", 32, "signed", MobileNetV2=224),
    **_family("mobilenet_v3", 32, "inside", MobileNetV3Small=224, MobileNetV3Large=224),
    **_family("nasnet", 32, "signed", NASNetMobile=224, NASNetLarge=331),
    **_family("resnet", 32, "centred_bgr", ResNet50=224, ResNet101=224, ResNet152=224),
    **_family("resnet_v2", 32, "signed", ResNet50V2=224, ResNet101V2=224, ResNet152V2=224),
    **_family("vgg16", 32, "centred_bgr", VGG16=224),
    **_family("vgg19", 32, "centred_bgr", VGG19=224),
    **_family("xception", 71, "signed", Xception=299),
}
"""Every network of keras.applications by its name there."""
