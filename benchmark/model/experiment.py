"""An experiment: one spec carried out on given pixels, from fresh weights to the test split's probabilities."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from benchmark.model import learning
from benchmark.model.study import Data, Machine, Result, Seconds, prepare, wanted
from benchmark.model.training import Row
from benchmark.spec import RunSpec

__all__ = ["Data", "Machine", "Result", "Seconds", "run", "wanted"]


def run(spec: RunSpec, data: Data, machine: Machine, on_epoch: Callable[[Row], None]) -> Result:
    """Build, train and predict what the spec says; `on_epoch` gets every epoch's row as soon as it is known.

    Raises:
        Diverged: a loss or a weight stopped being a finite number.
        SettingsMismatch: this process was not configured with the spec's settings.
    """
    study = prepare(spec, data, machine)
    try:
        return learning.learn(study, on_epoch)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        learning.make_room()
        raise
