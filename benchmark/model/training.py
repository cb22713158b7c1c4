"""Training: epochs until the last one or until nothing improves, and the weights of the best one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from benchmark.metrics import score_all
from benchmark.model.steps import Epoch
from benchmark.monitors import Monitor
from benchmark.predictions import Predictions
from benchmark.schedules import Progress, rates
from benchmark.spec import TrainingSpec

Row = dict[str, float | int]
Indices = npt.NDArray[np.int64]


class Diverged(RuntimeError):
    """A loss or a weight that is no longer a finite number."""


class Programme(NamedTuple):
    """What happens in the epochs of one stage."""

    stage: int
    """Its number, counted from 1."""
    epochs: int
    learning_rate: float
    patience: int | None
    """Epochs without improvement before it ends early; None = never."""
    order: Callable[[int], Indices]
    """The rows of an epoch, numbered over all stages from 1, in the order in which they are seen."""
    train: Epoch
    predict: Callable[[], npt.NDArray[np.float32]]
    """The validation pictures' logits (n, C) as of now."""


class Best:
    """The best epoch so far and a copy of its weights."""

    def __init__(self, weights: list[keras.Variable]) -> None:
        """Nothing yet; `weights` are all those that training may change."""
        self.epoch = 0
        self.value = math.nan
        self._weights = weights
        self._copies: list[npt.NDArray[np.float32]] = []

    def keep(self, epoch: int, value: float) -> None:
        """Take the present weights as those of the best epoch.

        Raises:
            Diverged: a weight is NaN or infinite.
        """
        copies = [weight.value.numpy() for weight in self._weights]
        # A rectifier may turn NaN into 0, so that the loss of a ruined network is finite.
        if not all(np.isfinite(copy).all() for copy in copies):
            raise Diverged(
                f"found weights that are NaN or infinite after epoch {epoch}; expected finite numbers: lower "
                "training.learning_rate"
            )
        self.epoch, self.value, self._copies = epoch, value, copies

    @property
    def weights(self) -> list[npt.NDArray[np.float32]]:
        """The best epoch's weights, in the order of those given."""
        return self._copies

    def restore(self) -> None:
        """Put the best epoch's weights back."""
        for weight, copy in zip(self._weights, self._copies, strict=True):
            weight.assign(copy)


class Validation(NamedTuple):
    """What every epoch is compared with."""

    monitor: Monitor
    truth: Indices
    """The validation pictures' class indices."""
    classes: tuple[str, ...]


class Course:
    """The epochs of one run, over all its stages."""

    def __init__(self, spec: TrainingSpec, validation: Validation, best: Best) -> None:
        """A course without epochs."""
        self.rows: list[Row] = []
        self.waited = 0.0
        """Seconds in which steps waited for their inputs."""
        self.best = best
        self._spec = spec
        self._validation = validation

    def follow(self, programme: Programme, on_epoch: Callable[[Row], None]) -> None:
        """Train the programme's epochs, or fewer when `patience` runs out.

        Raises:
            Diverged: a loss or a weight is NaN or infinite.
        """
        before, stalls = len(self.rows), list[int]()
        for done in range(programme.epochs):
            order = programme.order(before + done + 1)
            steps = -(-len(order) // self._spec.batch_size)
            progress = Progress(programme.learning_rate, done, programme.epochs, steps, tuple(stalls))
            row = self._epoch(programme, order, rates(self._spec.schedule, progress))
            stalls.append(len(self.rows) - max(self.best.epoch, before))
            on_epoch(row)
            if programme.patience is not None and stalls[-1] >= max(programme.patience, 1):
                break

    def _epoch(self, programme: Programme, order: Indices, rates: npt.NDArray[np.float32]) -> Row:
        """One epoch trained, validated and compared with the best so far."""
        start, number = time.perf_counter(), len(self.rows) + 1
        totals = programme.train(order, rates)
        self.waited += totals.waited
        row: Row = {"epoch": number, "stage": programme.stage, "learning_rate": float(rates[-1])}
        row |= {"train_loss": totals.plain, "train_loss_weighted": totals.minimised, "train_accuracy": totals.accuracy}
        _require_finite(row, ("train_loss", "train_loss_weighted"))
        # Infinite logits give NaN, which is reported right below.
        with np.errstate(invalid="ignore"):
            log_probabilities = log_softmax(programme.predict().astype(np.float64), axis=1)
        truth = self._validation.truth
        row["val_loss"] = float(-log_probabilities[np.arange(len(truth)), truth].mean())
        _require_finite(row, ("val_loss",))
        row |= {f"val_{name}": value for name, value in self._score(log_probabilities).items()}
        row["seconds"] = time.perf_counter() - start
        self.rows.append(row)
        monitor = self._validation.monitor
        value = float(row[monitor.column])
        if self.best.epoch == 0 or monitor.better(value, self.best.value):
            self.best.keep(number, value)
        return row

    def _score(self, log_probabilities: npt.NDArray[np.float64]) -> dict[str, float]:
        """Every metric on the validation pictures."""
        places = np.arange(len(log_probabilities)).astype(np.str_)
        probabilities = np.exp(log_probabilities).astype(np.float32)
        return score_all(Predictions(places, places, self._validation.truth, probabilities, self._validation.classes))


def _require_finite(row: Row, columns: tuple[str, ...]) -> None:
    for column in columns:
        if not math.isfinite(row[column]):
            raise Diverged(
                f"found {column} = {row[column]} in epoch {row['epoch']} at a learning rate of "
                f"{row['learning_rate']:.3g}; expected a finite number: lower training.learning_rate"
            )
