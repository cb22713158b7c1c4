"""A backbone gives the same bits again: a sample of them, with BENCH_TESTS=all every one that is registered."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from backbones import registry
from benchmark.model import experiment
from benchmark.spec import RunSpec

STEPS, BATCH = 2, 5
SAMPLE = ("shallownet", "minivgg", "twotowers", "mobilenetv3small")
"""With and without batch normalisation, of several inputs to a layer, and of a pretrained kind."""


@pytest.mark.parametrize("name", registry.names() if os.environ.get("BENCH_TESTS") == "all" else SAMPLE)
def test_a_backbone_trained_twice_gives_the_same_bits(
    name: str,
    spec_of: Callable[..., RunSpec],
    drawn: Callable[..., experiment.Data],
    run: Callable[..., experiment.Result],
) -> None:
    """keras_application is represented by VGG16."""
    application = "VGG16" if name == registry.ANY_APPLICATION else None
    entry = registry.find(name)
    size = max(entry.minimum_size, 8)
    spec = spec_of(name, size, pooling=entry.poolings[0], epochs=1, batch_size=BATCH)
    spec = spec.model_copy(update={"backbone": spec.backbone.model_copy(update={"application": application})})
    data = drawn(size)
    in_turn = np.stack([np.flatnonzero(data.labels == label)[:BATCH] for label in range(len(data.classes))], axis=1)
    parts = dict(
        zip(("train", "val", "test"), np.split(in_turn.ravel(), [STEPS * BATCH, STEPS * BATCH + 2]), strict=True)
    )
    small = data._replace(**parts, content=f"{data.content}-few")
    first, again = run(spec, small), run(spec, small)
    assert np.isfinite(first.test).all()
    assert first.history["train_loss"].tolist() == again.history["train_loss"].tolist()
    assert first.test.tobytes() == again.test.tobytes()
    # So few steps leave some networks with the same answer to every picture; their weights tell them apart.
    assert len(first.model.weights) > 1
    for one, other in zip(first.model.weights, again.model.weights, strict=True):
        assert one.tobytes() == other.tobytes()
