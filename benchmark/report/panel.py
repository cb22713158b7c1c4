"""Panel: what all candidates said about the same test pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmark.board.candidates import Candidate
from benchmark.board.evidence import Load
from benchmark.metrics import confusion, recall_by_class
from benchmark.predictions import Predictions

TOP = 4
"""Candidates whose confusion is kept."""

_LEAST_SURE = 0.5
"""Nobody is sure of a class that is less probable than all others together."""


@dataclass(frozen=True, eq=False)
class Panel:
    """K candidates on N test pictures of C classes, in the order of their images' hashes."""

    names: tuple[str, ...]
    classes: tuple[str, ...]
    images: npt.NDArray[np.str_]
    truth: npt.NDArray[np.int64]
    guesses: npt.NDArray[np.int32]
    """K x N, by the mean probability over the seeds."""
    sure: npt.NDArray[np.bool_]
    """K x N, whether the guess is worth more than the label (`is_sure`)."""
    always_wrong: npt.NDArray[np.bool_]
    """K x N, whether every seed is wrong."""
    probabilities: npt.NDArray[np.float32]
    """N x C, mean over the candidates, 0..1."""
    recall: npt.NDArray[np.float64]
    """K x C, mean over the seeds, 0..1; NaN for a class without test pictures."""
    confusions: tuple[npt.NDArray[np.int64], ...]
    """C x C of the first candidates, summed over their seeds; rows are the truth."""

    def of(self, rows: Sequence[int]) -> Panel:
        """The answers of some of the candidates; `probabilities` and `confusions` stay those of all."""
        chosen = np.array(rows, dtype=np.int64)
        return replace(
            self,
            names=tuple(self.names[row] for row in rows),
            guesses=self.guesses[chosen],
            sure=self.sure[chosen],
            always_wrong=self.always_wrong[chosen],
            recall=self.recall[chosen],
        )


class Verdicts:
    """What the panel says about single pictures."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        count, classes = panel.guesses.shape[1], len(panel.classes)
        votes = np.zeros((count, classes), np.int32)
        sure = np.zeros((count, classes), np.int32)
        rows = np.arange(count)
        for guesses, certain in zip(panel.guesses, panel.sure, strict=True):
            votes[rows, guesses] += 1
            sure[rows, guesses] += certain
        self.common_guess: npt.NDArray[np.int64] = votes.argmax(axis=1)
        """N classes that most candidates guess."""
        self.agreeing: npt.NDArray[np.int32] = votes.max(axis=1)
        """How many of them do."""
        wrong = sure.copy()
        wrong[rows, panel.truth] = 0
        self.other: npt.NDArray[np.int64] = wrong.argmax(axis=1)
        """The class other than the truth that most candidates are sure of."""
        self.against: npt.NDArray[np.int32] = wrong.max(axis=1)
        """How many candidates are sure of it."""

    def wrong_for_all(self) -> npt.NDArray[np.int64]:
        """Rows that no seed of any candidate gets right, the lowest probability of the truth first."""
        panel = self._panel
        rows = np.flatnonzero(panel.always_wrong.all(axis=0))
        return rows[np.argsort(panel.probabilities[rows, panel.truth[rows]], kind="stable")]

    def label_suspects(self) -> npt.NDArray[np.int64]:
        """Rows where at least half of the candidates, and more than one if there are more, are sure of one other class.

        The largest mean probability against the label comes first.
        """
        panel = self._panel
        voters = len(panel.names)
        needed = max(1, min(2, voters), (voters + 1) // 2)
        rows = np.flatnonzero(self.against >= needed)
        gap = panel.probabilities[rows, self.other[rows]] - panel.probabilities[rows, panel.truth[rows]]
        return rows[np.argsort(-gap, kind="stable")]


def poll(candidates: Sequence[Candidate], load: Load) -> Panel:
    """The panel of candidates that each have a complete seed; one candidate's probabilities are held at a time."""
    names, guesses, sure, wrong, recall = [], [], [], [], []
    confusions: list[npt.NDArray[np.int64]] = []
    total: npt.NDArray[np.float32] | None = None
    for candidate in candidates:
        seeds = [_ordered([load(record) for record in runs]) for runs in candidate.complete]
        first = seeds[0]
        mean: npt.NDArray[np.float32] = np.mean([one.probabilities for one in seeds], axis=0, dtype=np.float32)
        total = mean if total is None else np.add(total, mean)
        names.append(candidate.name)
        guesses.append(mean.argmax(axis=1).astype(np.int32))
        wrong.append(np.all([one.guess != one.truth for one in seeds], axis=0))
        recall.append(np.mean([recall_by_class(one) for one in seeds], axis=0))
        sure.append(is_sure(mean, first.truth, recall[-1]))
        if len(confusions) < TOP:
            confusions.append(np.sum([confusion(one) for one in seeds], axis=0))
    assert total is not None
    return Panel(
        names=tuple(names),
        classes=first.classes,
        images=first.images,
        truth=first.truth,
        guesses=np.array(guesses),
        sure=np.array(sure),
        always_wrong=np.array(wrong),
        probabilities=total / np.float32(len(names)),
        recall=np.array(recall),
        confusions=tuple(confusions),
    )


def chance(recall: npt.NDArray[np.float64]) -> float:
    """The balanced accuracy of guesses that never look at a picture: 1 over the classes whose recall is known."""
    return 1 / max(int((~np.isnan(recall)).sum()), 1)


def is_sure(
    probabilities: npt.NDArray[np.float32], truth: npt.NDArray[np.int64], recall: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """N: whether a candidate's guess weighs against a label (confident learning: Northcutt et al. 2021).

    It does where its probability reaches the mean that the candidate gives this class on the pictures labelled so, and
    where the candidate knows the label's own class: it recognises that better than by chance.
    """
    guess = probabilities.argmax(axis=1)
    count = np.bincount(truth, minlength=len(recall))
    given = np.bincount(truth, probabilities[np.arange(len(truth)), truth], len(recall))
    usual = np.divide(given, count, out=np.full(len(recall), np.inf), where=count > 0)
    sure: npt.NDArray[np.bool_] = probabilities.max(axis=1) >= np.maximum(usual, _LEAST_SURE)[guess]
    return sure & (recall > chance(recall))[truth]


def agreement(panel: Panel) -> npt.NDArray[np.float64]:
    """K x K shares of pictures on which two candidates guess the same class."""
    return np.array([(panel.guesses == row).mean(axis=1) for row in panel.guesses])


def _ordered(parts: Sequence[Predictions]) -> Predictions:
    """One seed's predictions, of all folds together, in the order of the images' hashes and labels."""
    images = np.concatenate([part.images for part in parts])
    truth = np.concatenate([part.truth for part in parts])
    order = np.lexsort((truth, images))
    return Predictions(
        images=images[order],
        groups=np.concatenate([part.groups for part in parts])[order],
        truth=truth[order],
        probabilities=np.concatenate([part.probabilities for part in parts])[order],
        classes=parts[0].classes,
    )


def members(candidates: Sequence[Candidate], order: Sequence[str]) -> list[Candidate]:
    """The trained candidates with a result, in this order of their names."""
    place = {name: index for index, name in enumerate(order)}
    trained = [one for one in candidates if one.complete and not one.is_baseline]
    return sorted(trained, key=lambda one: (place.get(one.name, len(place)), one.name))
