"""Schedules: the learning rate of every step, one decorated function each (pure)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.registry import Registry
from benchmark.spec import ScheduleSpec

Rates = npt.NDArray[np.float64]


class UnknownSchedule(ValueError):
    """A schedule's name that no function carries."""


class Progress(NamedTuple):
    """How far a stage of training is when an epoch begins."""

    learning_rate: float
    """The stage's own, the highest that a schedule reaches."""
    epoch: int
    """Epochs of the stage already done."""
    epochs: int
    """Epochs that the stage has at most."""
    steps: int
    """Steps in every epoch."""
    stalls: tuple[int, ...]
    """After each epoch done: epochs since the monitored value last improved, 0 for an improvement."""

    @property
    def share(self) -> Rates:
        """Of each step of this epoch: its place in the whole stage, 0 for the first step and 1 for the last."""
        place = np.arange(self.epoch * self.steps, (self.epoch + 1) * self.steps)
        return place / max(self.epochs * self.steps - 1, 1)


Schedule = Callable[[ScheduleSpec, Progress], Rates]
_REGISTRY = Registry[Schedule]("training.schedule.rule", UnknownSchedule)


def schedule(compute: Schedule) -> Schedule:
    """Register the function, from its numbers and the progress to an epoch's rates (steps,), under its name."""
    _REGISTRY.add(compute.__name__, compute)
    return compute


def names() -> tuple[str, ...]:
    """The names of all schedules."""
    return _REGISTRY.names


def find(name: str) -> Schedule:
    """The schedule of this name.

    Raises:
        UnknownSchedule: there is none.
    """
    return _REGISTRY.find(name)


def rates(spec: ScheduleSpec, progress: Progress) -> npt.NDArray[np.float32]:
    """The learning rate of every step of the epoch that begins, (steps,), at least 0.

    Raises:
        UnknownSchedule: no function has this name.
    """
    return find(spec.rule)(spec, progress).astype(np.float32)


@schedule
def constant(spec: ScheduleSpec, progress: Progress) -> Rates:
    """The same rate throughout."""
    return np.full(progress.steps, progress.learning_rate)


@schedule
def cosine(spec: ScheduleSpec, progress: Progress) -> Rates:
    """Half a cosine from 1 down to `final_fraction` (Loshchilov and Hutter 2017, ICLR), without restarts."""
    return progress.learning_rate * _half_cosine(1, spec.final_fraction, progress.share)


@schedule
def one_cycle(spec: ScheduleSpec, progress: Progress) -> Rates:
    """Up from 1 / `start_divisor` to 1, then down to 1 / (`start_divisor` * `end_divisor`), both along half a cosine.

    Smith and Topin 2018, "Super-convergence", in the form with cosine annealing.
    """
    first, last = 1 / spec.start_divisor, 1 / (spec.start_divisor * spec.end_divisor)
    up = progress.share / max(spec.warmup_fraction, 1e-12)
    down = (progress.share - spec.warmup_fraction) / (1 - spec.warmup_fraction)
    rising = _half_cosine(first, 1, np.minimum(up, 1))
    falling = _half_cosine(1, last, np.maximum(down, 0))
    return progress.learning_rate * np.where(progress.share < spec.warmup_fraction, rising, falling)


@schedule
def reduce_on_plateau(spec: ScheduleSpec, progress: Progress) -> Rates:
    """Multiplied by `factor` after every `patience` epochs in a row without improvement, but not below `minimum`."""
    plateaus, waited = 0, 0
    for stall in progress.stalls:
        waited = 0 if stall == 0 else waited + 1
        if waited >= max(spec.patience, 1):
            plateaus, waited = plateaus + 1, 0
    lowest = min(spec.minimum, progress.learning_rate)
    return np.full(progress.steps, max(progress.learning_rate * spec.factor**plateaus, lowest))


def _half_cosine(start: float, end: float, share: Rates) -> Rates:
    """From `start` at share 0 to `end` at share 1, slow at both ends."""
    return end + (start - end) * (1 + np.cos(np.pi * share)) / 2
