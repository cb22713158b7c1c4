"""The freeze boundary: a classifier cut into a part that only computes and a part that learns."""

from __future__ import annotations

from typing import NamedTuple

import keras

from backbones.build import trunk
from benchmark.model import whitening
from benchmark.model.classifier import Classifier
from benchmark.model.stages import Stage


class TooManyLayers(ValueError):
    """More learning layers asked for than the backbone has."""


class Split(NamedTuple):
    """Two models in sequence; their layers are the classifier's own."""

    below: keras.Model | None
    """Pixels -> activations, always in inference mode, no gradients; None when everything learns."""
    above: keras.Model
    """Activations (or pixels) -> logits (N, C)."""


def split(classifier: Classifier, stage: Stage) -> Split:
    """The classifier cut for a stage; the trainable flags of its layers are set accordingly.

    Raises:
        TooManyLayers: `finetune.last_n` exceeds the backbone's layers.
    """
    for layer in classifier.backbone.layers:
        layer.trainable = stage.mode == "full" and layer.name != whitening.LAYER
    if stage.mode == "full":
        return Split(None, classifier.logits)
    if stage.mode == "frozen" or stage.last_n is None:
        return Split(classifier.backbone, classifier.head)
    learning = last_layers(classifier.backbone, stage.last_n)
    for layer in learning:
        layer.trainable = True
    entering = _entering(classifier.logits, learning[0])
    return Split(
        keras.Model(classifier.backbone.input, entering, name="below"),
        keras.Model(entering, classifier.logits.output, name="above"),
    )


def last_layers(backbone: keras.Model, number: int) -> tuple[keras.Layer, ...]:
    """The last layers of a backbone in their order, pooling and flattening at its end not counted.

    Raises:
        TooManyLayers: it has fewer, counted from the first one with weights.
    """
    layers = trunk(backbone)
    while layers and (not layers[0].weights or layers[0].name == whitening.LAYER):
        layers.pop(0)
    if number > len(layers):
        raise TooManyLayers(
            f"found finetune.last_n={number}; expected at most {len(layers)}, the layers of {backbone.name} from the "
            "first one with weights on: lower it, or choose finetune=full"
        )
    return tuple(layers[-number:])


def _entering(model: keras.Model, first: keras.Layer) -> list[keras.KerasTensor]:
    """The tensors that cross from what stands before `first`, in the model's order, to it or to what follows."""
    operations = model.operations
    above = {id(operation) for operation in operations[operations.index(first) :]}
    entering: dict[int, keras.KerasTensor] = {}
    waiting, seen = [model.output], set()
    while waiting:
        tensor = waiting.pop()
        source = tensor._keras_history
        if id(source.operation) not in above:
            entering.setdefault(id(tensor), tensor)
        elif (id(source.operation), source.node_index) not in seen:
            seen.add((id(source.operation), source.node_index))
            waiting += source.operation._inbound_nodes[source.node_index].input_tensors
    return list(entering.values())
