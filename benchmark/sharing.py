"""What runs have in common, so that it is computed once: pixels, activations, compiled networks, stacks (pure).

Two runs with equal keys may share; the keys are texts, None means that there is nothing to share. Runs of one sweep
on the pictures of one manifest are compared; what differs between machines is no part of a key.
"""

from __future__ import annotations

import json
from typing import Any

from benchmark.spec import RunSpec

WHITENING = "ZCAWhitening"
"""The one layer of an augmentation that is not random but part of the network."""
STACKED_DIFFERENCES = ("learning_rate", "label_smoothing")
"""Values of `training` in which heads of one stack may differ, besides seed, weighting and the head itself."""


def pixels(spec: RunSpec) -> str:
    """Runs with this key see the same decoded pictures."""
    return _text(size=spec.dataset.image_size, resize=spec.dataset.resize, fold=spec.dataset.fold)


def activations(spec: RunSpec) -> str | None:
    """Runs with this key train on the same activations of a frozen part; None = no part is frozen, or none is kept."""
    if spec.finetune.mode == "full" or not reuses_activations(spec):
        return None
    # Random weights are those of the seed, and whitening is fitted by it; a pretrained backbone is the same for all.
    own = spec.seed if spec.backbone.weights == "none" or _whitens(spec) else None
    return _text(
        pixels=pixels(spec),
        backbone=spec.backbone.model_dump(mode="json"),
        seed=own,
        boundary=(spec.finetune.mode, spec.finetune.last_n),
        augmentation=list(spec.augmentation.layers),
        views=views(spec),
        precision=spec.training.mixed_precision,
    )


def views(spec: RunSpec) -> int:
    """Augmented views of every training picture that pass through a frozen part: no more than epochs can use."""
    return min(spec.training.augmented_views, spec.training.epochs) if _random_layers(spec) else 0


def reuses_activations(spec: RunSpec) -> bool:
    """Whether what enters the learning part is the same in several epochs."""
    return not _random_layers(spec) or spec.training.augmented_views > 0


def _whitens(spec: RunSpec) -> bool:
    """Whether the network begins with a whitening of its pictures."""
    return any(WHITENING in layer for layer in spec.augmentation.layers)


def _random_layers(spec: RunSpec) -> bool:
    """Whether training pictures look different from time to time."""
    return any(WHITENING not in layer for layer in spec.augmentation.layers)


def stack(spec: RunSpec) -> str | None:
    """Runs with this key can train as one stack of heads; None = only alone."""
    shared = activations(spec)
    if shared is None or spec.finetune.mode != "frozen" or spec.training.mixed_precision != "none":
        return None
    training = spec.training.model_dump(mode="json", exclude=set(STACKED_DIFFERENCES))
    # Oversampling makes epochs longer; the steps of one program are taken by all of its heads.
    return _text(
        activations=shared,
        training=training,
        shape=(len(spec.head.units), spec.head.input_batch_norm, spec.head.batch_norm),
        oversampled=spec.weighting.rule == "oversample",
    )


def network(spec: RunSpec) -> str:
    """Runs with this key need the same compiled network and steps, only with other weights and numbers."""
    return _text(
        pixels=pixels(spec),
        backbone=spec.backbone.model_dump(mode="json"),
        head=spec.head.model_dump(mode="json", exclude={"name"}),
        finetune=spec.finetune.model_dump(mode="json", exclude={"name", "learning_rate_factor", "frozen_epochs"}),
        augmentation=list(spec.augmentation.layers),
        optimizer=(spec.training.optimizer, spec.training.momentum, spec.training.weight_decay),
        batch_size=spec.training.batch_size,
        views=views(spec),
        precision=spec.training.mixed_precision,
    )


def _text(**parts: Any) -> str:
    """Canonical JSON of the parts."""
    return json.dumps(parts, sort_keys=True, default=dict)
