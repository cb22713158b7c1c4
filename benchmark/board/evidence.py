"""Evidence: what the candidates' runs said about the test images, pooled over folds and read one run at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.board.calibration import CalibrationError
from benchmark.board.candidates import Candidate
from benchmark.metrics import recall_by_class
from benchmark.predictions import Predictions
from benchmark.records import RunRecord
from benchmark.statistics import Answers, Outcomes, answers_from_probabilities

Load = Callable[[RunRecord], Predictions]
"""From a finished run to its predictions of the test split."""
Gauge = Callable[[Sequence[Predictions]], CalibrationError]
"""From the predictions of a candidate's seeds to how far their probabilities can be trusted."""


class MissingImages(ValueError):
    """Predictions that cover other images than those they are compared with."""

    exit_code = 2


@dataclass(frozen=True, eq=False)
class Evidence:
    """Answers of K candidates to the same N test images, and what only the probabilities can tell."""

    outcomes: Outcomes
    images: npt.NDArray[np.str_]
    """N identities of pictures."""
    calibration: tuple[CalibrationError, ...]
    """Empty where it was not asked for: its intervals take most of the time."""
    recall: npt.NDArray[np.float64]
    """K x C mean recall over the seeds, 0..1; NaN for a class without test images."""

    def of(self, rows: Sequence[int]) -> Evidence:
        """The same evidence on some of the candidates only."""
        chosen = np.array(rows, dtype=np.int64)
        calibration = tuple(self.calibration[row] for row in rows if self.calibration)
        return Evidence(self.outcomes.reordered(chosen), self.images, calibration, self.recall[chosen])


def collect(candidates: Sequence[Candidate], load: Load, gauge: Gauge | None = None) -> Evidence:
    """The evidence on candidates with at least one complete seed; one candidate's probabilities at a time.

    `gauge` measures their calibration, None = nobody asks for it.

    Raises:
        MissingImages: a run's test images are not those of the first run.
    """
    answers: list[Answers] = []
    calibration: list[CalibrationError] = []
    recall = []
    first: _Pooled | None = None
    for candidate in candidates:
        seeds = []
        for runs in candidate.complete:
            pooled = _Pooled(runs, _pool(runs, load))
            first = first or pooled
            seeds.append(_aligned(pooled, first))
        assert first is not None
        reference = first.predictions
        probabilities = np.stack([one.probabilities for one in seeds])
        count = len(reference.classes)
        answers.append(answers_from_probabilities(candidate.family, probabilities, reference.truth, count))
        if gauge is not None:
            calibration.append(gauge(seeds))
        recall.append(np.mean([recall_by_class(one) for one in seeds], axis=0))
    assert first is not None
    reference = first.predictions
    codes = np.unique(reference.groups, return_inverse=True)[1].astype(np.int64)
    outcomes = Outcomes(reference.truth, codes, len(reference.classes), tuple(answers))
    return Evidence(outcomes, reference.images, tuple(calibration), np.array(recall))


class _Pooled(NamedTuple):
    """The runs of one seed and what they said together."""

    runs: Sequence[RunRecord]
    predictions: Predictions


def _pool(runs: Sequence[RunRecord], load: Load) -> Predictions:
    """The predictions of one seed: of its one run, or of all its folds together."""
    parts = [load(record) for record in runs]
    if len(parts) == 1:
        return parts[0]
    return Predictions(
        images=np.concatenate([part.images for part in parts]),
        groups=np.concatenate([part.groups for part in parts]),
        truth=np.concatenate([part.truth for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        classes=parts[0].classes,
    )


def _aligned(pooled: _Pooled, first: _Pooled) -> Predictions:
    """The predictions in the order of the first one's images."""
    predictions, reference = pooled.predictions, first.predictions
    if np.array_equal(predictions.images, reference.images) and np.array_equal(predictions.truth, reference.truth):
        return predictions
    order = _order(predictions.images, reference.images)
    if order is None or not np.array_equal(predictions.truth[order], reference.truth):
        shared = len(np.intersect1d(predictions.images, reference.images))
        raise MissingImages(
            f"found {len(reference.images)} test images in the predictions of {_names(first)} and "
            f"{len(predictions.images)} in those of {_names(pooled)}, {shared} of them the same; expected the same "
            "images with the same labels: delete the folder of the run that is wrong, or of both, and give the sweep's "
            "command again"
        )
    return Predictions(
        images=reference.images,
        groups=reference.groups,
        truth=reference.truth,
        probabilities=predictions.probabilities[order],
        classes=predictions.classes,
    )


def _names(pooled: _Pooled) -> str:
    return ", ".join(run.run_id for run in pooled.runs)


def _order(images: npt.NDArray[np.str_], wanted: npt.NDArray[np.str_]) -> npt.NDArray[np.int64] | None:
    """Positions of the wanted images among `images`, or None when they are not the same images."""
    if len(images) != len(wanted):
        return None
    order = np.empty(len(wanted), dtype=np.int64)
    order[np.argsort(wanted, kind="stable")] = np.argsort(images, kind="stable")
    return order if np.array_equal(images[order], wanted) else None
