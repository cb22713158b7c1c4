"""Stages: which layers learn, when, for how long and how fast (pure)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from benchmark.spec import RunSpec


class Stage(NamedTuple):
    """A stretch of training in which the same layers learn."""

    mode: Literal["frozen", "full", "last_n"]
    last_n: int | None
    """Layers of the backbone that learn in mode `last_n`."""
    epochs: int
    learning_rate: float
    """The rate that the schedule starts from."""


def plan(spec: RunSpec) -> tuple[Stage, ...]:
    """The stages of a run, in order; their epochs add up to `training.epochs`."""
    finetune, epochs, rate = spec.finetune, spec.training.epochs, spec.training.learning_rate
    if finetune.mode != "staged":
        return (Stage(finetune.mode, finetune.last_n, epochs, rate),)
    rest = epochs - finetune.frozen_epochs
    second: Literal["full", "last_n"] = "full" if finetune.last_n is None else "last_n"
    return (
        Stage("frozen", None, finetune.frozen_epochs, rate),
        Stage(second, finetune.last_n, rest, rate * finetune.learning_rate_factor),
    )
