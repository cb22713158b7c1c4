"""Frozen: heads trained on kept activations of a backbone that never changes, one or many at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple

import keras
import pandas as pd
from scipy.special import softmax

from backbones.cost import flops, parameter_counts
from benchmark import sharing
from benchmark.model import boundary, heads, learning, passes, sources, stack
from benchmark.model.activations import Activations, DoesNotFit
from benchmark.model.stacked_learner import Matrix, Predicted
from benchmark.model.study import Result, Seconds, Study
from benchmark.model.trained import TrainedModel
from benchmark.model.training import Diverged, Row
from benchmark.records import Parameters
from benchmark.spec import HeadSpec


def key(study: Study) -> str | None:
    """Studies with equal keys can train together; None = not on kept activations."""
    if sharing.stack(study.spec) is None:
        return None
    # Whitening is fitted by the run's seed, and the pictures of the training split are those of its fold.
    return repr((sharing.stack(study.spec), sources.identity(study, study.stages[0])))


class Features(NamedTuple):
    """What a backbone that never changes makes of the pictures."""

    plain: Matrix
    """(N, D) of all pictures."""
    views: Activations | None
    """(V * n, D) of augmented views of the n training pictures; see sources.Kept."""
    backbone: dict[str, Any]
    """Its size, as `sources.facts` tells it."""
    path: Literal["whole", "cached"]
    """Whether they are computed whenever they are asked for, or kept."""
    notes: tuple[str, ...]
    seconds: float
    """What it took to have them."""


def train(studies: Sequence[Study], on_epoch: Callable[[int, Row], None]) -> list[Result | Diverged]:
    """The results of studies with equal keys, in order; `on_epoch` gets a study's place and each of its rows.

    Raises:
        DoesNotFit: the activations of augmented views take more than the machine's limit.
        OSError: the disk is full or refuses.
    """
    first = studies[0]
    features = _features(first)
    members = [stack.Member(study.spec, study.class_weights) for study in studies]
    trained = stack.train(members, _shared(first, features), on_epoch)
    compared = _compared(first, features)
    return [
        one if isinstance(one, Diverged) else _result(study, features, one, compared, len(studies))
        for study, one in zip(studies, trained, strict=True)
    ]


def _features(study: Study) -> Features:
    split = cache(lambda: _split(study))
    try:
        kept = sources.keep(study, study.stages[0], split)
    except DoesNotFit as error:
        if study.augmentation.layers:
            raise
        start, below = time.perf_counter(), split().below
        plain, facts = passes.OnDemand(below, study.data.pixels), sources.facts(below)
        notes = (sources.without_room(study, error),)
        return Features(plain, None, facts, "whole", notes, time.perf_counter() - start)
    return Features(kept.plain.values, kept.views, kept.plain.facts, "cached", kept.notes, kept.seconds)


def _split(study: Study) -> boundary.Split:
    learning.make_room()
    return boundary.split(study.blueprint.build(), study.stages[0])


def _shared(study: Study, features: Features) -> stack.Shared:
    data, views = study.data, None
    if features.views is not None:
        number, soft = sharing.views(study.spec), features.views.targets
        values = features.views.values.reshape(number, len(data.train), -1)
        views = stack.Views(values, None if soft is None else soft.reshape(number, len(data.train), -1))
    return stack.Shared(features.plain, views, data.labels, data.train, data.val, data.classes)


class _Compared(NamedTuple):
    """The pictures that trained heads are compared on."""

    val: Predicted
    test: Predicted
    seconds: float
    """What it took to have them."""


def _compared(study: Study, features: Features) -> _Compared:
    start, data = time.perf_counter(), study.data
    val, test = (Predicted(features.plain, rows) for rows in (data.val, data.test))
    return _Compared(val, test, time.perf_counter() - start)


def _result(study: Study, features: Features, trained: stack.Trained, compared: _Compared, stacked: int) -> Result:
    start = time.perf_counter() - compared.seconds / stacked
    val, test = (softmax(stack.logits(trained.weights, study.spec, pictures), axis=1) for pictures in compared[:2])
    return Result(
        history=pd.DataFrame(trained.rows),
        best_epoch=trained.best_epoch,
        epochs=len(trained.rows),
        parameters=_parameters(study, features),
        class_weights=study.named_weights(),
        val=val,
        test=test,
        model=TrainedModel(study.blueprint, study.stages[0], trained.weights),
        seconds=Seconds(features.seconds / stacked, trained.seconds, time.perf_counter() - start, trained.waited),
        path="stacked" if features.path == "cached" and stacked > 1 else features.path,
        notes=(*study.notes, *features.notes),
    )


def _parameters(study: Study, features: Features) -> Parameters:
    """The size of the backbone, as it was noted when the activations were computed, and of the head."""
    width, backbone = features.plain.shape[1], features.backbone
    head = _head_parameters(study.spec.head.model_copy(update={"name": ""}), width, len(study.data.classes))
    known = backbone["flops"] is not None and head.flops is not None
    return Parameters(
        total=backbone["parameters"] + head.total,
        trainable=head.trainable,
        features=width,
        flops=backbone["flops"] + head.flops if known else None,
    )


@lru_cache(maxsize=64)
def _head_parameters(spec: HeadSpec, width: int, classes: int) -> Parameters:
    """The size of a head alone."""
    features = keras.Input((width,))
    model = keras.Model(features, heads.apply(heads.layers(spec, classes, seed=0), features))
    counts = parameter_counts(model)
    return Parameters(total=counts.total, trainable=counts.trainable, features=width, flops=flops(model))
