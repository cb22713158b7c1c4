"""Classifier: a backbone and a head as one flat model, and the parts of it that share its layers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras

from backbones.build import build as build_backbone
from backbones.cost import CostUnknown, flops
from benchmark.model import heads
from benchmark.model.seeds import derive
from benchmark.model.whitening import Whitening
from benchmark.records import Parameters
from benchmark.spec import RunSpec


class Classifier(NamedTuple):
    """One network seen four ways; all of them share the same layers and weights."""

    backbone: keras.Model
    """Pixels (N, S, S, 3) float32 0..255 -> features (N, d)."""
    head: keras.Model
    """Features (N, d) -> logits (N, C) float32."""
    logits: keras.Model
    """Pixels -> logits, flat: the backbone's layers and the head's are direct layers of it."""
    model: keras.Model
    """Pixels -> probabilities (N, C) float32, flat."""


def build(
    spec: RunSpec,
    classes: int,
    weights_path: Path | None,
    whitening: Whitening | None,
    dropout: type[keras.layers.Dropout] = keras.layers.Dropout,
) -> Classifier:
    """The untrained classifier of a spec, behind the whitening if any; its seed decides every random weight."""
    # Keras draws its default seeds from here. `keras.utils.set_random_seed` would also make TensorFlow forget every
    # function that it has optimised, which takes seconds to do again.
    random.seed(derive(spec.seed, "backbone"))
    backbone = build_backbone(spec.backbone, spec.dataset.image_size, weights_path)
    if whitening is not None:
        pixels = keras.Input(backbone.input.shape[1:], dtype="float32", name="raw_pixels")
        # `call` on a symbolic tensor repeats the backbone's layers one by one, so that the model stays flat.
        backbone = keras.Model(pixels, backbone.call(whitening.apply(pixels)), name=backbone.name)
    return assemble(backbone, heads.layers(spec.head, classes, spec.seed, dropout))


def assemble(backbone: keras.Model, layers: Sequence[keras.Layer]) -> Classifier:
    """The classifier of this backbone with a head of these layers."""
    features = keras.Input(backbone.output.shape[1:], name="features")
    head = keras.Model(features, heads.apply(layers, features), name="head")
    logits = heads.apply(layers, backbone.output)
    softmax = keras.layers.Softmax(name="probabilities", dtype="float32")
    return Classifier(
        backbone=backbone,
        head=head,
        logits=keras.Model(backbone.input, logits, name=f"{backbone.name}_logits"),
        model=keras.Model(backbone.input, softmax(logits), name=f"{backbone.name}_classifier"),
    )


class Blueprint(NamedTuple):
    """All that a classifier is built from."""

    spec: RunSpec
    classes: int
    weights_path: Path | None
    whitening: Whitening | None

    def build(self) -> Classifier:
        """The untrained classifier."""
        return build(self.spec, self.classes, self.weights_path, self.whitening)

    def build_to_train(self) -> Classifier:
        """The same with layers that are quick in training, and that Keras alone could not load again."""
        return build(self.spec, self.classes, self.weights_path, self.whitening, heads.QuickDropout)


def parameters(classifier: Classifier) -> Parameters:
    """The size of the classifier; `trainable` counts what its layers' flags let learn now."""
    model = classifier.model
    return Parameters(
        total=int(model.count_params()),
        trainable=sum(int(weight.value.shape.num_elements()) for weight in model.trainable_weights),
        features=int(classifier.backbone.output.shape[-1]),
        flops=_flops(model),
    )


def _flops(model: keras.Model) -> int | None:
    """The floating-point operations for one picture, or None for a layer whose cost is not known."""
    try:
        return flops(model)
    except CostUnknown:
        return None
