"""What the candidates together say: about classes, about single pictures, and how alike they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.board.sentences import score_text
from benchmark.board.table import Leaderboard
from benchmark.report.panel import Panel, Verdicts, agreement, chance
from benchmark.report.pictures import Pictures, embedded
from benchmark.report.plots import Heat
from benchmark.report.run_figures import share_cell

CLASSES = 40
"""Columns of the table of classes; of more, those that are known worst."""
ROWS = 100
AGREEING = 40
CONFUSED = 25
PICTURES = 36


class Judged(NamedTuple):
    """A picture and what the candidates say about it."""

    source: str
    path: str
    truth: str
    guess: str
    voters: int
    """Candidates that say so."""
    probability: float
    """Of the guess, mean over all candidates."""


class Jury(NamedTuple):
    """The candidates that are asked about labels, and who they are in words."""

    panel: Panel
    words: str


class PanelSection(NamedTuple):
    """What a page shows of the panel."""

    recall: Heat
    confusions: list[Heat]
    agreement: Heat | None
    candidates: int
    wrong_for_all: list[Judged]
    wrong_count: int
    suspects: list[Judged]
    suspect_count: int
    voters: int
    """Candidates that were asked about labels."""
    jury: str
    """Who they are, in words."""

    @property
    def heats(self) -> dict[str, Heat]:
        """The coloured tables by the names of their files."""
        confusions = {f"confusion_{place}": heat for place, heat in enumerate(self.confusions, start=1)}
        agreement = {"agreement": self.agreement} if self.agreement else {}
        return {"recall": self.recall} | confusions | agreement


def panel_section(panel: Panel, board: Leaderboard, labels: Mapping[str, str], pictures: Pictures) -> PanelSection:
    """Tables and pictures; on labels those candidates are asked that know best."""
    verdicts = Verdicts(panel)
    hard = verdicts.wrong_for_all()
    jury, who = _jury(panel, board)
    asked = Verdicts(jury)
    suspects = asked.label_suspects()
    names = tuple(labels[name] for name in panel.names)
    return PanelSection(
        recall=_recall(panel, names),
        confusions=[
            _confusion(counts, panel.classes, name) for counts, name in zip(panel.confusions, names, strict=False)
        ],
        agreement=_agreement(panel, names) if len(names) > 1 else None,
        candidates=len(names),
        wrong_for_all=_judged(panel, pictures, hard[:PICTURES], verdicts.common_guess, verdicts.agreeing),
        wrong_count=len(hard),
        suspects=_judged(jury, pictures, suspects[:PICTURES], asked.other, asked.against),
        suspect_count=len(suspects),
        voters=len(jury.names),
        jury=who,
    )


def _jury(panel: Panel, board: Leaderboard) -> Jury:
    """The candidates that tell classes apart better than chance; of these those tied with the best, if two or more."""
    table = board.table.set_index("candidate")
    known = table["test_balanced_accuracy_low"] > chance(panel.recall[0])
    tied = known & table["tied_with_best"].fillna(False).astype(bool)
    juries = [
        Jury(panel.of([place for place, name in enumerate(panel.names) if chosen[name]]), words)
        for chosen, words in ((tied, "tied with the best"), (known, "better than chance"))
    ]
    return juries[0] if len(juries[0].panel.names) > 1 else juries[1]


def _recall(panel: Panel, names: tuple[str, ...]) -> Heat:
    known = np.nan_to_num(panel.recall, nan=2.0).mean(axis=0)
    kept = np.sort(np.argsort(known, kind="stable")[:CLASSES])
    shares = panel.recall[:ROWS, kept]
    few = f"; the {CLASSES} known worst of {len(panel.classes)} classes" if len(panel.classes) > CLASSES else ""
    worst = panel.classes[int(np.argmin(known))]
    return Heat(
        "Recall of each class", f"Share of each class's test pictures that are recognised, mean over seeds{few}. "
        f"Recognised least: {worst}. {_colours(shares)}", "candidate", "class", names[:ROWS],
        tuple(panel.classes[place] for place in kept), _stretched(shares), _texts(shares),
    )  # fmt: skip


def _confusion(counts: npt.NDArray[np.int64], classes: tuple[str, ...], name: str) -> Heat:
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.full(counts.shape, np.nan), where=support > 0)
    errors = support[:, 0] + counts.sum(axis=0) - 2 * np.diag(counts)
    kept = np.sort(np.argsort(-errors, kind="stable")[:CONFUSED])
    chosen = shares[np.ix_(kept, kept)]
    labels = tuple(classes[place] for place in kept)
    return Heat(name, "Shares of the true class.", "true class", "guess", labels, labels, chosen, _texts(chosen))


def _agreement(panel: Panel, names: tuple[str, ...]) -> Heat:
    shares = agreement(panel)[:AGREEING, :AGREEING]
    few = f", the first {AGREEING} candidates" if len(names) > AGREEING else ""
    labels = names[:AGREEING]
    numbers = tuple(str(place) for place in range(1, len(labels) + 1))
    rows = tuple(f"{number} {label}" for number, label in zip(numbers, labels, strict=True))
    return Heat(
        "Agreement",
        f"Share of test pictures on which two candidates give the same answer{few}. {_colours(shares)}",
        "candidate", "candidate", rows, numbers, _stretched(shares), _texts(shares),
    )  # fmt: skip


def _ends(shares: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The range that colours run over, at least a tenth wide."""
    known = shares[~np.isnan(shares)]
    high = float(known.max()) if known.size else 1.0
    return min(float(known.min()) if known.size else 0.0, high - 0.1), high


def _stretched(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    low, high = _ends(shares)
    return (shares - low) / (high - low)


def _colours(shares: npt.NDArray[np.float64]) -> str:
    low, high = _ends(shares)
    return f"Colours run from {score_text(max(low, 0.0))}, dark, to {score_text(high)}, bright."


def _texts(shares: npt.NDArray[np.float64]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(share_cell(share) for share in row) for row in shares.tolist())


def _judged(
    panel: Panel, pictures: Pictures, rows: npt.NDArray[np.int64], guess: npt.NDArray[np.int64],
    voters: npt.NDArray[np.int32],
) -> list[Judged]:  # fmt: skip
    truths = {row: panel.classes[int(panel.truth[row])] for row in rows.tolist()}
    files = pictures.copies((str(panel.images[row]), truth) for row, truth in truths.items())
    found = []
    for row, truth in truths.items():
        image = str(panel.images[row])
        source = embedded(files[image]) if image in files else ""
        label = int(guess[row])
        chance = float(panel.probabilities[row, label])
        path = pictures.path(image, truth)
        found.append(Judged(source, path, truth, panel.classes[label], int(voters[row]), chance))
    return found
