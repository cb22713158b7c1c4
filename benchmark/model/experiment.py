"""An experiment: one spec carried out on given pixels, from fresh weights to the test split's probabilities."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax

from benchmark import monitors, schedules, weighting
from benchmark.model import (
    augmentation,
    boundary,
    classifier,
    features,
    optimizers,
    settings,
    stages,
    steps,
    whitening,
)
from benchmark.model.losses import Objective
from benchmark.model.seeds import derive
from benchmark.model.training import Best, Course, Programme, Row, Validation
from benchmark.records import Parameters
from benchmark.spec import RunSpec

Indices = npt.NDArray[np.int64]
UNSETTLED = 1e-3
"""Share of a moving average's first value above which it is not to be trusted."""


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
    model: keras.Model
    """Pixels 0..255 -> probabilities, without augmentation."""
    seconds: Seconds
    path: Literal["whole", "cached", "stacked"]
    """Which way it was computed; see records.Cost."""
    notes: tuple[str, ...]


def run(spec: RunSpec, data: Data, machine: Machine, on_epoch: Callable[[Row], None]) -> Result:
    """Build, train and predict what the spec says; `on_epoch` gets every epoch's row as soon as it is known.

    Raises:
        Diverged: a loss or a weight stopped being a finite number.
        SettingsMismatch: this process was not configured with the spec's settings.
    """
    settings.require(wanted(spec, machine.threads))
    weights = weighting.weigh(spec.weighting, data.labels[data.train], data.classes)
    experiment = _Experiment(spec, data, machine, tuple(weights.tolist()))
    start = time.perf_counter()
    course = experiment.train(on_epoch)
    course.best.restore()
    training, start = time.perf_counter() - start - experiment.seconds, time.perf_counter()
    predictions = [softmax(experiment.predict(rows), axis=1) for rows in (data.val, data.test)]
    predicting = time.perf_counter() - start
    history = pd.DataFrame(course.rows)
    return Result(
        history=history,
        best_epoch=course.best.epoch,
        epochs=len(history),
        parameters=classifier.parameters(experiment.built),
        class_weights=dict(zip(data.classes, weights.tolist(), strict=True)),
        val=predictions[0],
        test=predictions[1],
        model=experiment.built.model,
        seconds=Seconds(experiment.seconds, training, predicting, 0.0),
        path="cached" if experiment.seconds else "whole",
        notes=tuple(experiment.notes),
    )


def wanted(spec: RunSpec, threads: int) -> settings.Settings:
    """The settings that a process must have been configured with to run this spec."""
    return settings.Settings(threads, spec.training.deterministic, spec.training.mixed_precision)


def _unsettled(built: classifier.Classifier, steps_in_all: int) -> list[str]:
    """A warning when batch normalisation predicts with averages that still hold much of their first values."""
    layers = [layer for layer in built.backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = max((layer.momentum for layer in layers), default=0.0)
    if momentum**steps_in_all < UNSETTLED:
        return []
    wanted_steps = int(np.ceil(np.log(UNSETTLED) / np.log(momentum)))
    return [
        f"{steps_in_all} training steps leave the averages that batch normalisation predicts with unsettled (about "
        f"{wanted_steps} are needed at momentum {momentum:g}): the network may look like chance; lower "
        "training.batch_size or raise training.epochs"
    ]


class _Experiment:
    """The stages of one run: what each trains on and what the trained network says."""

    def __init__(self, spec: RunSpec, data: Data, machine: Machine, weights: tuple[float, ...]) -> None:
        self.notes: list[str] = []
        self.seconds = 0.0
        self._spec = spec
        self._data = data
        self._machine = machine
        schedules.find(spec.training.schedule.rule)
        self._monitor = monitors.find(spec.training.monitor)
        self._stages = stages.plan(spec)
        self._objective = Objective(weights, spec.weighting.focal_gamma, spec.training.label_smoothing)
        self._augmentation = augmentation.build(spec.augmentation, spec.seed, spec.dataset.image_size)
        zca = whitening.wanted(spec.augmentation)
        seed = derive(spec.seed, "whitening")
        self._whitening = None if zca is None else whitening.fit(zca, data.pixels, data.train, seed)
        self.built = classifier.build(spec, len(data.classes), machine.weights_path, self._whitening)
        self.predict: Callable[[Indices], npt.NDArray[np.float32]]
        if self._stages[-1].mode == "frozen" and spec.backbone.weights == "none":
            self.notes.append("the backbone is frozen with random weights: only the head has learned")
        if spec.backbone.weights == "none" and self._stages[-1].mode == "full":
            steps_in_all = spec.training.epochs * -(-len(data.train) // spec.training.batch_size)
            self.notes += _unsettled(self.built, steps_in_all)

    def train(self, on_epoch: Callable[[Row], None]) -> Course:
        """All stages in turn; the network is left with the last epoch's weights."""
        changing = boundary.split(self.built, self._stages[-1]).above.weights
        data = self._data
        validation = Validation(self._monitor, data.labels[data.val], data.classes)
        course = Course(self._spec.training, validation, Best(changing))
        for number, stage in enumerate(self._stages, start=1):
            course.follow(self._programme(number, stage), on_epoch)
        return course

    def _programme(self, number: int, stage: stages.Stage) -> Programme:
        spec, data = self._spec, self._data
        split = boundary.split(self.built, stage)
        inputs: steps.Inputs = data.pixels
        if stage.mode == "frozen" and not self._augmentation.layers:
            inputs, split = self._features(split), boundary.Split(None, split.above)
        learner = steps.Learner(
            split, self._augmentation, self._objective, optimizers.build(spec.training, stage.learning_rate)
        )
        labels = data.labels[data.train]
        self.predict = steps.predictor(split, inputs)
        return Programme(
            stage=number,
            epochs=stage.epochs,
            learning_rate=stage.learning_rate,
            patience=spec.training.patience if number == len(self._stages) else None,
            order=lambda epoch: weighting.epoch_order(
                spec.weighting, labels, np.random.default_rng(derive(spec.seed, "order", epoch))
            ),
            train=steps.trainer(learner, inputs, data.train, labels, spec.training.batch_size),
            predict=lambda: self.predict(data.val),
        )

    def _features(self, split: boundary.Split) -> npt.NDArray[np.float32]:
        """The frozen backbone's features of all pictures."""
        backbone = self._spec.backbone.model_dump(mode="json")
        identity = {
            **settings.identity(),
            "content": self._data.content,
            "image_size": self._spec.dataset.image_size,
            "backbone": backbone,
            "seed": self._spec.seed if self._spec.backbone.weights == "none" else None,
            "whitening": None if self._whitening is None else self._whitening.digest,
        }
        found = features.load_or_compute(split.below, self._data.pixels, identity, self._machine.cache_dir / "features")
        self.seconds += found.seconds
        self.notes += found.notes
        return found.values
