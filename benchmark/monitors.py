"""Monitors: the validation value by which epochs are compared (no Keras)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmark import metrics
from benchmark.registry import near


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
        UnknownMonitor: the name is neither `val_loss` nor `val_` and a metric's.
    """
    if name == "val_loss":
        return Monitor(name, lambda left, right: left < right)
    if not name.startswith("val_"):
        raise UnknownMonitor(
            f"unknown training.monitor {name!r}; expected val_loss or val_ and a metric's name: only validation may "
            "choose the epoch"
        )
    known = {f"val_{metric}": metric for metric in metrics.names()}
    if name not in known:
        raise UnknownMonitor(f"unknown training.monitor {name!r}{near(name, ('val_loss', *known), cutoff=0.4)}")
    return Monitor(name, metrics.find(known[name]).better)
