"""Predictions: what one run said about every picture of one split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ROW_SUM_TOLERANCE = 1e-3


class InvalidPredictions(ValueError):
    """Predictions that no metric may be computed from."""

    exit_code = 2


@dataclass(frozen=True, eq=False)
class Predictions:
    """Truth and class probabilities of N pictures and C classes.

    Raises:
        InvalidPredictions: shapes differ, a probability is not finite or outside 0..1, a row does not sum to 1, or a
            true class is out of range.
    """

    images: npt.NDArray[np.str_]
    """N identities of pictures (sha256 of the decoded pixels), in the manifest's order."""
    groups: npt.NDArray[np.str_]
    """N names of the groups of copies or of one event; pictures of one group are not independent."""
    truth: npt.NDArray[np.int64]
    """N class indices, 0..C-1."""
    probabilities: npt.NDArray[np.float32]
    """N x C, each row sums to 1."""
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        shape = (len(self.truth), len(self.classes))
        if self.probabilities.shape != shape or not len(self.images) == len(self.groups) == shape[0]:
            raise InvalidPredictions(
                f"found {self.probabilities.shape} probabilities for {len(self.images)} images; expected {shape}, a "
                "row for every picture and a column for every class"
            )
        if not np.isfinite(self.probabilities).all():
            bad = int((~np.isfinite(self.probabilities)).any(axis=1).sum())
            raise InvalidPredictions(
                f"found NaN or infinite probabilities for {bad} of {shape[0]} pictures; expected numbers in 0..1: "
                "the training diverged, so lower training.learning_rate"
            )
        if shape[0] == 0:
            return
        low, high = float(self.probabilities.min()), float(self.probabilities.max())
        error = float(np.abs(self.probabilities.sum(axis=1, dtype=np.float64) - 1).max())
        if low < 0 or high > 1 + ROW_SUM_TOLERANCE or error > ROW_SUM_TOLERANCE:
            raise InvalidPredictions(
                f"found probabilities in {low:.4g}..{high:.4g} with rows off 1 by up to {error:.2g}; expected 0..1 and "
                "rows that sum to 1: predict with the softmax output of the model"
            )
        if self.truth.min() < 0 or self.truth.max() >= shape[1]:
            raise InvalidPredictions(
                f"found true classes {self.truth.min()}..{self.truth.max()}; expected 0..{shape[1] - 1}, indices into "
                "the classes"
            )

    @property
    def guess(self) -> npt.NDArray[np.int64]:
        """N class indices with the highest probability, the first one on a tie."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> npt.NDArray[np.float64]:
        """N highest probabilities, 0..1."""
        return self.probabilities.max(axis=1).astype(np.float64)

    @property
    def probability_of_truth(self) -> npt.NDArray[np.float64]:
        """N probabilities of the true class, 0..1."""
        return self.probabilities[np.arange(len(self.truth)), self.truth].astype(np.float64)
