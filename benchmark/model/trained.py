"""Trained models: what a run has learned, as a Keras model that is built when somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from benchmark.model import boundary
from benchmark.model.classifier import Blueprint
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
        boundary.split(built, self.stage).above.set_weights(self.weights)
        return built.model

    def save(self, path: Path) -> None:
        """Write the model as a `.keras` file."""
        self.build().save(path)
