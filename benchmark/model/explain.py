"""Explain: where a trained network looks. Grad-CAM (Selvaraju et al. 2017, ICCV) or HiResCAM.

Grad-CAM weighs a channel by its mean gradient over all places, which is exact where the map is averaged afterwards. A
network that flattens its map weighs every place on its own, and the mean puts the heat beside what it saw: there each
place has its own gradient (HiResCAM, Draelos and Carin 2020, https://arxiv.org/abs/2011.08891), which is the same
thing where the map is averaged.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark.model.classifier import Blueprint, Classifier
from benchmark.model.steps import chunks
from benchmark.model.trained import TrainedModel

BATCH = 16
SMALLEST_SIDE = 4
"""A smaller map than this does not show where."""
LARGEST_SIDE = 64
"""Heat maps are stored no larger than this; the maps of small networks are as large as their pictures."""

Pixels = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]


class NothingToSee(ValueError):
    """A network that has no feature maps."""


class Cut(NamedTuple):
    """A backbone cut after its last feature map."""

    below: keras.Model
    """Pixels -> the map (N, h, w, d)."""
    above: keras.Model
    """The map -> features (N, d')."""
    classifier: Classifier

    @property
    def method(self) -> Literal["grad-cam", "hirescam"]:
        """What its heat maps are made by: hirescam where what follows the map weighs every place on its own."""
        flattens = any(isinstance(layer, keras.layers.Flatten) for layer in self.above.layers)
        return "hirescam" if flattens else "grad-cam"


def heat_maps(network: Cut, pixels: Pixels, classes: Indices) -> npt.NDArray[np.uint8]:
    """For each picture where the evidence for its class lies, (n, h, w), 0..255, 255 = the strongest; 0 = none.

    `pixels` (n, S, S, 3) and `classes` (n,) go together. The last feature map's channels are weighed by the gradient of
    the class's logit and added up; what speaks against the class counts as nothing.
    """
    parts = [_heat(network, pixels[some], classes[some]) for some in chunks(np.arange(len(pixels)), BATCH)]
    heat = np.concatenate(parts)
    top = heat.max(axis=(1, 2), keepdims=True)
    scaled = np.divide(heat, top, out=np.zeros_like(heat), where=top > 0)
    return np.rint(255 * scaled).astype(np.uint8)


def architecture(network: Cut) -> str:
    """The layers of backbone and head with their shapes and parameters, as text."""
    lines: list[str] = []
    for model in (network.classifier.backbone, network.classifier.head):
        model.summary(line_length=110, print_fn=lines.append)
    return "\n".join(lines) + "\n"


def _heat(cut: Cut, pixels: Pixels, classes: Indices) -> npt.NDArray[np.float32]:
    found = cut.below(tf.cast(pixels, tf.float32), training=False)
    with tf.GradientTape() as tape:
        tape.watch(found)
        logits = cut.classifier.head(cut.above(found, training=False), training=False)
        asked = tf.reduce_sum(tf.gather(logits, classes, axis=1, batch_dims=1))
    gradient = tape.gradient(asked, found)
    weights = gradient if cut.method == "hirescam" else tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(tf.cast(weights * found, tf.float32), axis=3))
    side = [min(int(length), LARGEST_SIDE) for length in heat.shape[1:]]
    return tf.image.resize(heat[..., None], side, method="area")[..., 0].numpy()


def cut(trained: TrainedModel) -> Cut:
    """The trained network, ready to be looked into; a frozen backbone is built once for all heads that share it.

    Raises:
        NothingToSee: the network has no feature map.
    """
    if trained.stage.mode != "frozen":
        network = _cut_after_last_map(trained.blueprint.build())
        trained.put_into(network.classifier)
        return network
    spec = trained.blueprint.spec
    seed = spec.seed if spec.backbone.weights == "none" else 0
    shared = _frozen(_Frozen(trained.blueprint, repr((spec.backbone, spec.dataset.image_size, seed))))
    head = trained.fresh_head(int(shared.above.output.shape[-1]))
    return shared._replace(classifier=shared.classifier._replace(head=head))


class _Frozen:
    """A blueprint that equals those of the same frozen backbone."""

    def __init__(self, blueprint: Blueprint, backbone: str) -> None:
        self.blueprint = blueprint
        whitening = blueprint.whitening
        self._key = (backbone, blueprint.weights_path, None if whitening is None else whitening.digest)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frozen) and self._key == other._key


@lru_cache(maxsize=1)
def _frozen(shared: _Frozen) -> Cut:
    return _cut_after_last_map(shared.blueprint.build())


def _cut_after_last_map(classifier: Classifier) -> Cut:
    """The backbone cut after its last map that is large enough to show places, or after its last one."""
    backbone = classifier.backbone
    maps = [layer.output for layer in reversed(backbone.layers) if _is_map(layer)]
    large = [tensor for tensor in maps if min(tensor.shape[1:3]) >= SMALLEST_SIDE]
    for tensor in (*large, *maps):
        above = _model(tensor, backbone.output)
        if above is not None:
            return Cut(keras.Model(backbone.input, tensor), above, classifier)
    raise NothingToSee(f"found no feature map in {backbone.name}; expected one of shape (N, h, w, d)")


def _is_map(layer: keras.Layer) -> bool:
    """Whether the layer gives one feature map (N, h, w, d)."""
    return isinstance(layer.output, keras.KerasTensor) and len(layer.output.shape) == 4


def _model(tensor: keras.KerasTensor, output: keras.KerasTensor) -> keras.Model | None:
    """The model from one tensor to another, or None when the output also depends on what does not pass through it."""
    try:
        return keras.Model(tensor, output)
    except ValueError:
        return None
