"""Learning: a network trained stage by stage, each from pictures or from kept activations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax

from benchmark.model import sources, steps
from benchmark.model.networks import Feeding, Network, Warm
from benchmark.model.stages import Stage
from benchmark.model.study import Result, Seconds, Study
from benchmark.model.trained import TrainedModel
from benchmark.model.training import Best, Course, Programme, Row

UNSETTLED = 1e-3
"""Share of a moving average's first value above which it is not to be trusted."""

_warm = Warm()


def learn(study: Study, on_epoch: Callable[[Row], None]) -> Result:
    """The result of training the study's network in all its stages.

    Raises:
        Diverged: a loss or a weight stopped being a finite number.
    """
    network = _warm.network(study.blueprint)
    network.aim(study.objective)
    start, learning = time.perf_counter(), _Learning(study, network)
    course = learning.train(on_epoch)
    course.best.restore()
    training, start = time.perf_counter() - start - learning.seconds, time.perf_counter()
    predictions = [softmax(learning.predict(rows), axis=1) for rows in (study.data.val, study.data.test)]
    return Result(
        history=pd.DataFrame(course.rows),
        best_epoch=course.best.epoch,
        epochs=len(course.rows),
        parameters=network.parameters(study.stages[-1]),
        class_weights=study.named_weights(),
        val=predictions[0],
        test=predictions[1],
        model=TrainedModel(study.blueprint, study.stages[-1], course.best.weights),
        seconds=Seconds(learning.seconds, training, time.perf_counter() - start, course.waited),
        path=learning.path,
        notes=tuple(dict.fromkeys(learning.notes)),
    )


def make_room() -> None:
    """Keep no network warm, so that its memory is free for others."""
    _warm.forget()


class _Learning:
    """The stages of one run: what each trains on and what the trained network says."""

    def __init__(self, study: Study, network: Network) -> None:
        self.seconds = 0.0
        self.path: Literal["whole", "cached"] = "whole"
        """`cached` as soon as one stage learns from kept activations."""
        self.notes = list(study.notes)
        self.predict: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]
        self._study = study
        self._network = network
        spec = study.spec
        if spec.backbone.weights == "none" and study.stages[-1].mode == "full":
            steps_in_all = spec.training.epochs * -(-len(study.data.train) // spec.training.batch_size)
            self.notes += _unsettled(network.built.backbone, steps_in_all)

    def train(self, on_epoch: Callable[[Row], None]) -> Course:
        """All stages in turn; the network is left with the last epoch's weights."""
        study = self._study
        changing = self._network.split(study.stages[-1]).above.weights
        course = Course(study.spec.training, study.validation, Best(changing))
        for number, stage in enumerate(study.stages, start=1):
            course.follow(self._programme(number, stage), on_epoch)
        return course

    def _programme(self, number: int, stage: Stage) -> Programme:
        study = self._study
        source = sources.source(study, stage, lambda: self._network.split(stage))
        self.seconds += source.seconds
        self.path = source.path if source.path == "cached" else self.path
        self.notes += source.notes
        examples = source.examples
        feeding = Feeding(steps.batches_of(examples.inputs), steps.batches_of(examples.targets))
        compiled = self._network.compiled(stage, feeding)
        self.predict = compiled.predictor.on(source.inputs)
        return Programme(
            stage=number,
            epochs=stage.epochs,
            learning_rate=stage.learning_rate,
            patience=study.spec.training.patience if number == len(study.stages) else None,
            order=source.order,
            train=compiled.trainer.on(examples),
            predict=lambda: self.predict(study.data.val),
        )


def _unsettled(backbone: keras.Model, steps_in_all: int) -> list[str]:
    """A warning when batch normalisation predicts with averages that still hold much of their first values."""
    layers = [layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = max((layer.momentum for layer in layers), default=0.0)
    if momentum**steps_in_all < UNSETTLED:
        return []
    wanted_steps = int(np.ceil(np.log(UNSETTLED) / np.log(momentum)))
    return [
        f"{steps_in_all} training steps leave the averages that batch normalisation predicts with unsettled (about "
        f"{wanted_steps} are needed at momentum {momentum:g}): the network may look like chance; lower "
        "training.batch_size or raise training.epochs"
    ]
