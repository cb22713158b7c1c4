"""Sources: what a stage of training draws its batches from, pictures or activations that are there already."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from backbones import registry
from backbones.build import build
from backbones.cost import CostUnknown, flops
from benchmark import sharing
from benchmark.model import (
    augmentation,
    boundary,
    classifier,
    distortions,
    passes,
    seeds,
    settings,
    source_code,
    whitening,
)
from benchmark.model.activations import Activations, Computation, DoesNotFit, Shelf
from benchmark.model.stages import Stage
from benchmark.model.steps import Examples, Inputs
from benchmark.model.study import Study

_MAKERS = (build, classifier.build, boundary.split, passes.plain, seeds.derive, whitening.fit)
"""What activations are made by, besides the backbone's builder and the libraries."""

Indices = npt.NDArray[np.int64]


class Source(NamedTuple):
    """What a stage trains on and predicts from."""

    examples: Examples
    order: Callable[[int], Indices]
    """Places among the examples in the order of an epoch, which is counted from 1 over all stages."""
    inputs: Inputs
    """(N, ...) of all pictures, not augmented."""
    path: Literal["whole", "cached"]
    """Whether every epoch passes pictures through the whole network, or activations through what learns."""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    """What it took to have the activations."""


class Kept(NamedTuple):
    """Activations at a freeze boundary."""

    plain: Activations
    """(N, D) of all pictures."""
    views: Activations | None
    """(V * n, D) of augmented views of the n training pictures: row v * n + i is view v of the i-th."""
    seconds: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results should know."""
        return (*self.plain.notes, *(self.views.notes if self.views else ()))


def source(study: Study, stage: Stage, split: Callable[[], boundary.Split]) -> Source:
    """The source of a stage: activations if they may be kept, else pictures."""
    if not reuses(study, stage):
        return pictures(study)
    try:
        return from_kept(study, keep(study, stage, split))
    except DoesNotFit as error:
        return pictures(study)._replace(notes=(without_room(study, error),))


def without_room(study: Study, error: DoesNotFit) -> str:
    """What a reader of the results should know of a study whose activations are not kept."""
    if study.augmentation.layers:
        return (
            f"{error}; every epoch made new random pictures instead of drawing from augmented_views of them, which "
            "takes longer and gives other numbers than with room in the cache"
        )
    return f"{error}; they were computed again whenever they were needed, which takes longer"


def reuses(study: Study, stage: Stage) -> bool:
    """Whether the same activations enter the learning part in several epochs."""
    return stage.mode != "full" and (not study.augmentation.layers or study.spec.training.augmented_views > 0)


def pictures(study: Study) -> Source:
    """Every epoch passes pictures through the whole network."""
    data = study.data
    return Source(Examples(data.pixels, data.train, data.labels[data.train]), study.order, data.pixels, "whole")


def from_kept(study: Study, kept: Kept) -> Source:
    """Every epoch passes kept activations through the part that learns."""
    labels, pictures = study.data.labels[study.data.train], len(study.data.train)
    notes, seconds, plain = kept.notes, kept.seconds, kept.plain.values
    if kept.views is None:
        return Source(Examples(plain, study.data.train, labels), study.order, plain, "cached", notes, seconds)
    views = sharing.views(study.spec)
    targets = np.tile(labels, views) if kept.views.targets is None else kept.views.targets
    examples = Examples(kept.views.values, np.arange(views * pictures), targets)

    def order(epoch: int) -> Indices:
        places = study.order(epoch)
        return seeds.drawn_views(study.spec.seed, epoch, len(places), views) * pictures + places

    return Source(examples, order, plain, "cached", notes, seconds)


def keep(study: Study, stage: Stage, split: Callable[[], boundary.Split]) -> Kept:
    """The activations that enter what learns in a stage, from disk if they are there; `split` is called if not.

    Raises:
        DoesNotFit: they take more than the machine's limit.
        OSError: the disk is full or refuses.
    """
    start, shelf = time.perf_counter(), Shelf(study.machine.cache_dir / "features", study.machine.cache_limit_bytes)
    own = identity(study, stage)
    plain = shelf.load_or_compute(own, lambda: _plain(study, split()))
    views = None
    if study.augmentation.layers:
        views = shelf.load_or_compute({**own, **_views_identity(study)}, lambda: _views(study, split()))
    return Kept(plain, views, time.perf_counter() - start)


def identity(study: Study, stage: Stage) -> dict[str, Any]:
    """All that decides the activations of unchanged pictures in this stage."""
    spec, fitted = study.spec, study.blueprint.whitening
    return {
        **settings.identity(),
        "source": source_code.digest(registry.find(spec.backbone.name).build, *_MAKERS),
        "content": study.data.content,
        "image_size": spec.dataset.image_size,
        "backbone": spec.backbone.model_dump(mode="json"),
        "seed": spec.seed if spec.backbone.weights == "none" else None,
        "whitening": None if fitted is None else fitted.digest,
        "boundary": "features" if stage.mode == "frozen" else f"last {stage.last_n}",
    }


def _views_identity(study: Study) -> dict[str, Any]:
    data = study.data
    layers = [one for one in study.spec.augmentation.model_dump(mode="json")["layers"] if whitening.NAME not in one]
    pictures = hashlib.sha256(data.train.tobytes())
    if study.augmentation.mixes:
        pictures.update(data.labels[data.train].tobytes() + len(data.classes).to_bytes(8))
    own = distortions.registered().items()
    ours: list[Callable[..., object]] = [kind for name, kind in own if any(name in one for one in layers)]
    return {
        "augmentation": layers,
        "augmentation source": source_code.digest(augmentation.build, *ours),
        "views": sharing.views(study.spec),
        "pictures": pictures.hexdigest(),
    }


def _plain(study: Study, split: boundary.Split) -> Computation:
    pixels = study.data.pixels
    return Computation(len(pixels), split.shapes, 0, facts(split.below), passes.plain(split.below, pixels))


def _views(study: Study, split: boundary.Split) -> Computation:
    data, spec, views = study.data, study.spec, sharing.views(study.spec)
    training = passes.Training(data.train, data.labels[data.train], len(data.classes))
    random = augmentation.build(spec.augmentation, passes.VIEWS_SEED, spec.dataset.image_size)
    batches = passes.augmented(split.below, random, data.pixels, training, views)
    classes = training.classes if random.mixes else 0
    return Computation(views * len(data.train), split.shapes, classes, facts(split.below), batches)


def facts(below: keras.Model) -> dict[str, Any]:
    """What there is to know about the part below, so that nobody needs to build it again to know."""
    try:
        operations = flops(below)
    except CostUnknown:
        operations = None
    return {"parameters": int(below.count_params()), "flops": operations}
