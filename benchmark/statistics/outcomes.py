"""What every candidate answered on the same test images: the one input of the ranking statistics."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PROBABILITY_FLOOR = float(np.finfo(np.float64).eps)
"""Smallest probability whose logarithm is taken, so that one image costs at most 36.04 (as in scikit-learn)."""

_ROUNDING = 1e-6
_SUM_TOLERANCE = 1e-3


class InvalidOutcomes(ValueError):
    """Truth, groups or probabilities that cannot be compared; the message names the value and the way out."""

    exit_code = 2


@dataclass(frozen=True, eq=False)
class Answers:
    """One candidate's answers, reduced to what the four metrics need.

    family: candidates of one family pool their seed variance ('fine-tuned', 'frozen', 'scratch').
    predicted: int32 [S, N], class index per training seed and image.
    log_probability: float64 [S, N], natural logarithm of the true class's probability, at least -36.04.
    """

    family: Hashable
    predicted: NDArray[np.int32]
    log_probability: Floats

    @property
    def seeds(self) -> int:
        """Number of training seeds S."""
        return len(self.predicted)

    @cached_property
    def digest(self) -> bytes:
        """Content hash; it orders candidates the same way whatever order they arrive in."""
        content = hashlib.blake2b(str(self.predicted.shape).encode(), digest_size=16)
        content.update(self.predicted.tobytes())
        content.update(self.log_probability.tobytes())
        return content.digest()


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Answers of K candidates to the same N test images.

    truth: int [N], class index 0..class_count-1.
    groups: [N], any labels; copies of one picture share one. Kept as codes 0..G-1.
    class_count: columns of the probabilities; classes absent from `truth` count in no metric.
    candidates: one `Answers` each, in the caller's order; seeds may differ in number.

    Raises InvalidOutcomes when lengths, class indices or shapes do not fit together.
    """

    truth: Integers
    groups: Integers
    class_count: int
    candidates: tuple[Answers, ...]

    def __post_init__(self) -> None:
        truth = checked_truth(self.truth, self.class_count)
        labels = np.asarray(self.groups)
        if labels.shape != truth.shape:
            raise InvalidOutcomes(
                f"groups have shape {labels.shape} but truth has {truth.shape}; give one group label per image"
            )
        groups = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        if not self.candidates:
            raise InvalidOutcomes("found no candidate but at least 1 is needed; add a finished run")
        for position, answers in enumerate(self.candidates):
            _check_answers(answers, position, truth.size)
        for name, values in (("truth", truth), ("groups", groups)):
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    @classmethod
    def from_probabilities(
        cls,
        truth: ArrayLike,
        groups: ArrayLike,
        class_count: int,
        candidates: Iterable[tuple[Hashable, ArrayLike]],
    ) -> Outcomes:
        """Outcomes of (family, probabilities [S, N, C]) pairs, read one at a time.

        `candidates` may be a generator: only one candidate's probabilities are held, float32 or float64.

        Raises InvalidOutcomes as `answers_from_probabilities` does, naming the candidate's position.
        """
        checked = checked_truth(truth, class_count)
        rows = []
        for position, (family, probabilities) in enumerate(candidates):
            try:
                rows.append(answers_from_probabilities(family, probabilities, checked, class_count))
            except InvalidOutcomes as error:
                raise InvalidOutcomes(f"candidate {position}: {error}") from error
        return cls(checked, np.asarray(groups), class_count, tuple(rows))

    def reordered(self, order: Integers) -> Outcomes:
        """The same outcomes with the candidates in another order, or only some of them."""
        return replace(self, candidates=tuple(self.candidates[k] for k in order))

    @property
    def images(self) -> int:
        """Number of test images N."""
        return self.truth.size

    @cached_property
    def group_count(self) -> int:
        """Number of groups G, the units that are resampled."""
        return int(self.groups.max()) + 1

    @cached_property
    def present_classes(self) -> Integers:
        """Classes that occur in `truth`, ascending, int [P]."""
        return np.unique(self.truth)

    @cached_property
    def class_sizes(self) -> Integers:
        """Test images of each present class, int [P]."""
        return np.bincount(self.truth)[self.present_classes]

    @cached_property
    def truth_codes(self) -> Integers:
        """Each image's position in `present_classes`, int [N]."""
        return np.searchsorted(self.present_classes, self.truth)

    def group_sums(self, values: Floats) -> Floats:
        """Sums over the images of each group: [..., N] to [..., G]."""
        order, starts = self._group_layout
        if starts.size == self.images:
            return values[..., order]
        return np.add.reduceat(values[..., order], starts, axis=-1)

    @cached_property
    def _group_layout(self) -> tuple[Integers, Integers]:
        order = np.argsort(self.groups, kind="stable")
        starts = np.searchsorted(self.groups[order], np.arange(self.group_count))
        return order, starts


def answers_from_probabilities(
    family: Hashable, probabilities: ArrayLike, truth: Integers, class_count: int
) -> Answers:
    """One candidate's answers; a tie between classes goes to the lower index, as in numpy.argmax.

    probabilities: [S, N, C], 0..1, each row sums to 1 within 1e-3.

    Raises InvalidOutcomes for another shape, a value that is not finite or outside 0..1, or a wrong sum.
    """
    values = np.asarray(probabilities)
    if values.ndim != 3 or values.shape[1:] != (truth.size, class_count) or not len(values):
        raise InvalidOutcomes(
            f"probabilities have shape {values.shape} but (seeds >= 1, {truth.size}, {class_count}) is "
            "needed; give every seed's probabilities of the same images and classes"
        )
    if not np.issubdtype(values.dtype, np.floating):
        raise InvalidOutcomes(
            f"probabilities are of type {values.dtype} but floating point is needed; give softmax outputs"
        )
    _check_probabilities(values)
    true = values[:, np.arange(truth.size), truth].astype(np.float64)
    predicted = values.argmax(axis=2).astype(np.int32)
    logarithm = np.log(np.clip(true, PROBABILITY_FLOOR, 1.0))
    predicted.setflags(write=False)
    logarithm.setflags(write=False)
    return Answers(family, predicted, logarithm)


def checked_truth(truth: ArrayLike, class_count: int) -> Integers:
    """The class indices as int64 [N].

    Raises InvalidOutcomes when they are not whole numbers from 0 to class_count - 1 in one dimension.
    """
    values = np.asarray(truth)
    if values.ndim != 1 or not values.size or not np.issubdtype(values.dtype, np.integer):
        raise InvalidOutcomes(
            f"truth has shape {values.shape} and type {values.dtype} but one whole number per image is "
            "needed; give the index of each image's class"
        )
    if values.min() < 0 or values.max() >= class_count:
        raise InvalidOutcomes(
            f"truth runs from {values.min()} to {values.max()} but 0 to {class_count - 1} is needed; "
            "give class indices in the order of the probabilities' columns"
        )
    return np.array(values, dtype=np.int64)


def _check_probabilities(values: NDArray[np.floating]) -> None:
    if not np.isfinite(values).all():
        raise InvalidOutcomes(
            "probabilities hold NaN or infinity but finite numbers are needed; treat this run as diverged"
        )
    if values.min() < -_ROUNDING or values.max() > 1 + _ROUNDING:
        raise InvalidOutcomes(
            f"probabilities run from {values.min():g} to {values.max():g} but 0 to 1 is needed; "
            "apply softmax to the logits first"
        )
    sums = values.sum(axis=2, dtype=np.float64)
    worst = sums.flat[np.abs(sums - 1).argmax()]
    if abs(worst - 1) > _SUM_TOLERANCE:
        raise InvalidOutcomes(
            f"a row of probabilities sums to {worst:.6g} but 1 (within {_SUM_TOLERANCE:g}) is needed; "
            "give softmax outputs, one column per class"
        )


def _check_answers(answers: Answers, position: int, images: int) -> None:
    for name, values in (("predicted", answers.predicted), ("log_probability", answers.log_probability)):
        if values.shape != (answers.seeds, images) or not answers.seeds:
            raise InvalidOutcomes(
                f"candidate {position}: {name} has shape {values.shape} but (seeds >= 1, {images}) is "
                "needed; give every seed's answers to the same images"
            )
