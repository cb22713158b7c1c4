"""Study: a spec, the pictures it is carried out on, and all that is known before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark import monitors, schedules, weighting
from benchmark.model import augmentation, settings, stages, whitening
from benchmark.model.classifier import Blueprint
from benchmark.model.losses import Objective
from benchmark.model.seeds import derive
from benchmark.model.trained import TrainedModel
from benchmark.model.training import Validation
from benchmark.records import Parameters
from benchmark.spec import RunSpec

Indices = npt.NDArray[np.int64]


class Data(NamedTuple):
    """Pictures, what they show and how they are split."""

    pixels: npt.NDArray[np.uint8]
    """(N, S, S, 3) RGB, 0..255; an array or a memory map."""
    labels: Indices
    """(N,) indices into the classes."""
    train: Indices
    val: Indices
    test: Indices
    classes: tuple[str, ...]
    content: str
    """A hash that identifies the pixels and their order."""


class Machine(NamedTuple):
    """Where and with what this machine computes; the threads must be those the process was configured with."""

    weights_path: Path | None
    cache_dir: Path
    threads: int
    cache_limit_bytes: int | None = None
    """Activations that take more are not kept; None = any size is."""


class Seconds(NamedTuple):
    """Wall-clock time of the parts of a run."""

    features: float
    train: float
    predict: float
    input: float
    """The part of `train` in which steps waited for pictures."""


class Result(NamedTuple):
    """What a run found."""

    history: pd.DataFrame
    """A row for each epoch: epoch, stage, learning_rate, losses and metrics, seconds."""
    best_epoch: int
    """Counted from 1; its weights are the model's."""
    epochs: int
    parameters: Parameters
    class_weights: dict[str, float]
    val: npt.NDArray[np.float32]
    """Probabilities (n, C) of the validation pictures."""
    test: npt.NDArray[np.float32]
    """Probabilities (n, C) of the test pictures, predicted once."""
    model: TrainedModel
    """Builds the classifier with the best epoch's weights when asked."""
    seconds: Seconds
    path: Literal["whole", "cached", "stacked"]
    """Which way it was computed; see records.Cost."""
    notes: tuple[str, ...]


class Study(NamedTuple):
    """A checked spec with its data."""

    spec: RunSpec
    data: Data
    machine: Machine
    stages: tuple[stages.Stage, ...]
    class_weights: tuple[float, ...]
    blueprint: Blueprint
    augmentation: augmentation.Augmentation
    """As the run's seed has it."""
    notes: tuple[str, ...]

    @property
    def objective(self) -> Objective:
        """What training minimises."""
        return Objective(self.class_weights, self.spec.weighting.focal_gamma, self.spec.training.label_smoothing)

    @property
    def validation(self) -> Validation:
        """What every epoch is compared with."""
        monitor = monitors.find(self.spec.training.monitor)
        return Validation(monitor, self.data.labels[self.data.val], self.data.classes)

    def order(self, epoch: int) -> Indices:
        """Places among the training pictures in the order of an epoch."""
        random = np.random.default_rng(derive(self.spec.seed, "order", epoch))
        return weighting.epoch_order(self.spec.weighting, self.data.labels[self.data.train], random)

    def named_weights(self) -> dict[str, float]:
        """The class weights by class."""
        return dict(zip(self.data.classes, self.class_weights, strict=True))


def prepare(spec: RunSpec, data: Data, machine: Machine) -> Study:
    """The study of a spec, checked.

    Raises:
        SettingsMismatch: this process was not configured with the spec's settings.
        ValueError: the spec names something that does not exist or cannot be had.
    """
    settings.require(wanted(spec, machine.threads))
    weights = weighting.weigh(spec.weighting, data.labels[data.train], data.classes)
    schedules.find(spec.training.schedule.rule)
    monitors.find(spec.training.monitor)
    random = augmentation.build(spec.augmentation, spec.seed, spec.dataset.image_size)
    zca = whitening.wanted(spec.augmentation)
    seed = derive(spec.seed, "whitening")
    fitted = None if zca is None else whitening.fit(zca, data.pixels, data.train, seed)
    blueprint = Blueprint(spec, len(data.classes), machine.weights_path, fitted)
    course = stages.plan(spec)
    on_noise = course[-1].mode == "frozen" and spec.backbone.weights == "none"
    notes = ("the backbone is frozen with random weights: only the head has learned",) if on_noise else ()
    return Study(spec, data, machine, course, tuple(weights.tolist()), blueprint, random, notes)


def wanted(spec: RunSpec, threads: int) -> settings.Settings:
    """The settings that a process must have been configured with to run this spec."""
    return settings.Settings(threads, spec.training.deterministic, spec.training.mixed_precision)
