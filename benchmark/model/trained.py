"""Trained models: what a run has learned, as a Keras model that is built when somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from benchmark.model import boundary, heads
from benchmark.model.classifier import Blueprint, Classifier
from benchmark.model.stages import Stage


class TrainedModel(NamedTuple):
    """A blueprint and what training made of its weights; later runs change nothing about it."""

    blueprint: Blueprint
    stage: Stage
    """The last one."""
    weights: Sequence[npt.NDArray[np.float32]]
    """Of the part that learned in it, in the order of its model's weights."""

    def build(self) -> keras.Model:
        """A new model: pixels 0..255 -> probabilities (N, C), without augmentation."""
        built = self.blueprint.build()
        self.put_into(built)
        return built.model

    def put_into(self, built: Classifier) -> None:
        """Give a classifier built from the same blueprint what training made of its weights."""
        boundary.split(built, self.stage).above.set_weights(self.weights)

    def fresh_head(self, features: int) -> keras.Model:
        """The trained head of a frozen backbone on its own: features (N, features) -> logits (N, C)."""
        spec, inputs = self.blueprint.spec, keras.Input((features,))
        layers = heads.layers(spec.head, self.blueprint.classes, spec.seed)
        head = keras.Model(inputs, heads.apply(layers, inputs))
        head.set_weights(self.weights)
        return head

    def save(self, path: Path) -> None:
        """Write the model as a `.keras` file."""
        self.build().save(path)
