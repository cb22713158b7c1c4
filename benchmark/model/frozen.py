"""Frozen: heads trained on kept activations of a backbone that never changes, one or many at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import keras
import pandas as pd
from scipy.special import softmax

from backbones.cost import flops, parameter_counts
from benchmark import sharing
from benchmark.model import boundary, heads, learning, sources, stack
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


def train(studies: Sequence[Study], on_epoch: Callable[[int, Row], None]) -> list[Result | Diverged]:
    """The results of studies with equal keys, in order; `on_epoch` gets a study's place and each of its rows.

    Raises:
        DoesNotFit: the activations take more than the machine's limit.
        OSError: the disk is full or refuses.
    """
    first = studies[0]
    kept = sources.keep(first, first.stages[0], lambda: _split(first))
    members = [stack.Member(study.spec, study.class_weights) for study in studies]
    trained = stack.train(members, _shared(first, kept), on_epoch)
    features = kept.seconds / len(studies)
    return [
        one if isinstance(one, Diverged) else _result(study, kept, one, features, len(studies))
        for study, one in zip(studies, trained, strict=True)
    ]


def _split(study: Study) -> boundary.Split:
    learning.make_room()
    return boundary.split(study.blueprint.build(), study.stages[0])


def _shared(study: Study, kept: sources.Kept) -> stack.Shared:
    data, views = study.data, None
    if kept.views is not None:
        number, soft = sharing.views(study.spec), kept.views.targets
        values = kept.views.values.reshape(number, len(data.train), -1)
        views = stack.Views(values, None if soft is None else soft.reshape(number, len(data.train), -1))
    return stack.Shared(kept.plain.values, views, data.labels, data.train, data.val, data.classes)


def _result(study: Study, kept: sources.Kept, trained: stack.Trained, features: float, stacked: int) -> Result:
    start, data = time.perf_counter(), study.data
    predictions = [
        softmax(stack.logits(trained.weights, study.spec, kept.plain.values[rows]), axis=1)
        for rows in (data.val, data.test)
    ]
    return Result(
        history=pd.DataFrame(trained.rows),
        best_epoch=trained.best_epoch,
        epochs=len(trained.rows),
        parameters=_parameters(study, kept),
        class_weights=study.named_weights(),
        val=predictions[0],
        test=predictions[1],
        model=TrainedModel(study.blueprint, study.stages[0], trained.weights),
        seconds=Seconds(features, trained.seconds, time.perf_counter() - start, 0.0),
        path="cached" if stacked == 1 else "stacked",
        notes=(*study.notes, *kept.notes),
    )


def _parameters(study: Study, kept: sources.Kept) -> Parameters:
    """The size of the backbone, as it was noted when the activations were computed, and of the head."""
    width, backbone = kept.plain.values.shape[1], kept.plain.facts
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
