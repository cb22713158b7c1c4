"""The freeze boundary: a classifier cut into a part that only computes and a part that learns."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from backbones.build import trunk
from benchmark.model import whitening
from benchmark.model.classifier import Classifier
from benchmark.model.stages import Stage


class TooManyLayers(ValueError):
    """More learning layers asked for than the backbone has."""


Shapes = tuple[tuple[int, ...], ...]
"""Of the tensors that cross a boundary, without the axis of the pictures."""


class Unpacking(NamedTuple):
    """Stands in for the part below a boundary when the activations that cross it are there already, flattened."""

    shapes: Shapes

    def __call__(self, flat: tf.Tensor, training: bool) -> list[tf.Tensor] | tf.Tensor:
        """What crosses, of rows (N, D) that `pack` made: a tensor, or several; the same in training and inference."""
        parts = tf.split(flat, [math.prod(shape) for shape in self.shapes], axis=1)
        return _alone([tf.reshape(part, (-1, *shape)) for part, shape in zip(parts, self.shapes, strict=True)])


def pack(crossing: list[tf.Tensor] | tf.Tensor) -> tf.Tensor:
    """Tensors of N pictures as rows (N, D) float32, one tensor after the other."""
    tensors = crossing if isinstance(crossing, list | tuple) else [crossing]
    flat = [tf.reshape(tf.cast(one, tf.float32), (-1, math.prod(one.shape[1:]))) for one in tensors]
    return tf.concat(flat, axis=1)


class Split(NamedTuple):
    """Two models in sequence; their layers are the classifier's own."""

    below: keras.Model | Unpacking | None
    """Pixels -> activations, always in inference mode, no gradients; None when everything learns."""
    above: keras.Model
    """Activations (or pixels) -> logits (N, C)."""

    def unpacking(self) -> Split:
        """The same boundary for activations that are there already, packed."""
        return Split(Unpacking(self.shapes), self.above)

    @property
    def shapes(self) -> Shapes:
        """Of the tensors that cross the boundary."""
        return tuple(tuple(tensor.shape[1:]) for tensor in self.above.inputs)


def split(classifier: Classifier, stage: Stage) -> Split:
    """The classifier cut for a stage; the trainable flags of its layers are set accordingly.

    Raises:
        TooManyLayers: `finetune.last_n` exceeds the backbone's layers.
    """
    freeze(classifier, stage)
    if stage.mode == "full":
        return Split(None, classifier.logits)
    if stage.mode == "frozen" or stage.last_n is None:
        return Split(classifier.backbone, classifier.head)
    entering = _alone(_entering(classifier.logits, last_layers(classifier.backbone, stage.last_n)[0]))
    return Split(
        keras.Model(classifier.backbone.input, entering, name="below"),
        keras.Model(entering, classifier.logits.output, name="above"),
    )


def freeze(classifier: Classifier, stage: Stage) -> None:
    """Set the trainable flags of the classifier's layers for a stage; they hold for what is compiled from then on.

    Raises:
        TooManyLayers: `finetune.last_n` exceeds the backbone's layers.
    """
    for layer in classifier.backbone.layers:
        layer.trainable = stage.mode == "full" and layer.name != whitening.LAYER
    if stage.mode == "last_n" and stage.last_n is not None:
        for layer in last_layers(classifier.backbone, stage.last_n):
            layer.trainable = True


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


def _alone(tensors: list[Any]) -> Any:
    """The only one of the tensors, or all of them."""
    return tensors[0] if len(tensors) == 1 else tensors


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
