"""Networks kept warm: built and compiled once for all runs that differ only in weights, seeds and numbers.

Tracing a network's steps takes longer than many a short training. What a run leaves behind is put back to what a fresh
build has: weights and seeds of random layers, slots of optimizers, numbers of the objective.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmark import sharing
from benchmark.model import augmentation, boundary, classifier, optimizers, steps
from benchmark.model.augmentation import Augmentation
from benchmark.model.classifier import Blueprint
from benchmark.model.losses import Objective
from benchmark.model.stages import Stage
from benchmark.records import Parameters

KEPT = 2
"""Networks that stay warm at most."""
KEPT_PARAMETERS = 10_000_000
"""A larger network stays warm only until another one is built."""


class Feeding(NamedTuple):
    """What batches look like."""

    inputs: tf.TensorSpec
    """Pixels, or packed activations."""
    targets: tf.TensorSpec
    """Class indices, or shares of the classes."""

    @property
    def has_pixels(self) -> bool:
        """Whether batches are pictures, not activations."""
        return len(self.inputs.shape) == 4


class Compiled(NamedTuple):
    """One stage of a network, ready to train and to predict."""

    trainer: steps.Trainer
    predictor: steps.Predictor


class Network:
    """A classifier with the compiled steps of its stages, as if freshly built for the last blueprint it was given."""

    def __init__(self, blueprint: Blueprint) -> None:
        """A fresh network."""
        self.built = blueprint.build_to_train()
        self._blueprint = blueprint
        self._augmentations: list[Augmentation] = []
        self._optimizers: list[_Slots] = []
        self._compiled: dict[tuple[str, int | None, Feeding], Compiled] = {}
        self._parameters: dict[str, Parameters] = {}
        self._splits: dict[tuple[str, int | None], boundary.Split] = {}
        gamma = tf.Variable(0.0) if blueprint.spec.weighting.focal_gamma > 0 else 0.0
        self._objective = Objective(tf.Variable(tf.zeros(blueprint.classes)), gamma, tf.Variable(0.0))

    def renew(self, blueprint: Blueprint) -> None:
        """Put everything back to what a fresh network of the blueprint has."""
        self._blueprint = blueprint
        fresh = blueprint.build_to_train()
        _copy(fresh.model.variables, self.built.model.variables)
        for random in self._augmentations:
            _copy(_variables(self._augmentation()), _variables(random))
        for slots in self._optimizers:
            slots.clear()

    def aim(self, objective: Objective) -> None:
        """Train for this objective from now on."""
        for variable, value in zip(self._objective, objective, strict=True):
            if isinstance(variable, tf.Variable):
                variable.assign(value)

    def split(self, stage: Stage) -> boundary.Split:
        """The network cut for a stage, its layers' flags set."""
        key = (stage.mode, stage.last_n)
        if key in self._splits:
            boundary.freeze(self.built, stage)
        else:
            self._splits[key] = boundary.split(self.built, stage)
        return self._splits[key]

    def compiled(self, stage: Stage, feeding: Feeding) -> Compiled:
        """The stage compiled for such batches."""
        key = (stage.mode, stage.last_n, feeding)
        if key not in self._compiled:
            self._compiled[key] = self._compile(stage, feeding)
        return self._compiled[key]

    def parameters(self, stage: Stage) -> Parameters:
        """The size of the classifier; `trainable` counts what learns in this stage."""
        if stage.mode not in self._parameters:
            self.split(stage)
            self._parameters[stage.mode] = classifier.parameters(self.built)
        return self._parameters[stage.mode]

    def _compile(self, stage: Stage, feeding: Feeding) -> Compiled:
        spec, split = self._blueprint.spec, self.split(stage)
        random = Augmentation(())
        if feeding.has_pixels:
            self._augmentations.append(random := self._augmentation())
        else:
            split = split.unpacking()
        optimizer = optimizers.build(spec.training, stage.learning_rate)
        learner = steps.Learner(split, random, self._objective, optimizer)
        trainer = steps.trainer(learner, feeding.inputs, feeding.targets, spec.training.batch_size)
        self._optimizers.append(_Slots(optimizer))
        return Compiled(trainer, steps.predictor(split, feeding.inputs))

    def _augmentation(self) -> Augmentation:
        spec = self._blueprint.spec
        return augmentation.build(spec.augmentation, spec.seed, spec.dataset.image_size)


class Warm:
    """The networks that this process keeps."""

    def __init__(self) -> None:
        """None yet."""
        self._networks: dict[str, Network] = {}

    def network(self, blueprint: Blueprint) -> Network:
        """The blueprint's network as if freshly built; it serves one run at a time."""
        key = _key(blueprint)
        found = self._networks.pop(key, None)
        if found is None:
            self._make_room()
            found = Network(blueprint)
        else:
            found.renew(blueprint)
        self._networks[key] = found
        return found

    def forget(self) -> None:
        """Keep none, so that their memory is free."""
        self._networks.clear()
        # Layers and models refer to each other.
        gc.collect()

    def _make_room(self) -> None:
        """Leave room for one more network: the last used one may stay if it is small."""
        for key in list(self._networks)[: -(KEPT - 1)]:
            del self._networks[key]
        if any(network.built.model.count_params() > KEPT_PARAMETERS for network in self._networks.values()):
            self._networks.clear()
        gc.collect()


def _key(blueprint: Blueprint) -> str:
    """Blueprints with equal keys need the same compiled network."""
    # A fold decides which pictures are trained on, and no network knows its pictures.
    spec = blueprint.spec.model_copy(
        update={"dataset": blueprint.spec.dataset.model_copy(update={"fold": None})},
    )
    focuses = spec.weighting.focal_gamma > 0
    whitened = None if blueprint.whitening is None else blueprint.whitening.digest
    return repr((sharing.network(spec), blueprint.classes, focuses, whitened))


class _Slots:
    """An optimizer's state and what it was at first."""

    def __init__(self, optimizer: keras.optimizers.Optimizer) -> None:
        self._variables = optimizer.variables
        # Single numbers may begin anywhere, as a loss scale does; what belongs to a weight begins at 0.
        self._first = {place: one.numpy() for place, one in enumerate(self._variables) if one.shape == ()}

    def clear(self) -> None:
        for place, variable in enumerate(self._variables):
            first: npt.NDArray[np.generic] | None = self._first.get(place)
            variable.assign(tf.zeros(variable.shape, variable.dtype) if first is None else first)


def _variables(random: Augmentation) -> list[keras.Variable]:
    return [variable for layer in random.layers for variable in layer.variables]


def _copy(source: Sequence[keras.Variable], target: Sequence[keras.Variable]) -> None:
    for fresh, used in zip(source, target, strict=True):
        used.assign(fresh.value)
