"""Monitors: the validation value by which epochs are compared (no Keras)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmark.metrics import find as find_metric


class UnknownMonitor(ValueError):
    """A monitored value that is neither `val_loss` nor `val_<metric>`."""


class Monitor(NamedTuple):
    """A column of the history and its direction."""

    column: str
    better: Callable[[float, float], bool]
    """Whether the first value beats the second; a tie does not."""


def find(name: str) -> Monitor:
    """The monitor of this name.

    Raises:
        UnknownMonitor: the name does not begin with `val_`.
        UnknownMetric: no metric has the name that follows `val_`.
    """
    if name == "val_loss":
        return Monitor(name, lambda left, right: left < right)
    if not name.startswith("val_"):
        raise UnknownMonitor(
            f"unknown training.monitor {name!r}; expected val_loss or val_ and a metric's name: only validation may "
            "choose the epoch"
        )
    return Monitor(name, find_metric(name.removeprefix("val_")).better)
