"""A comparison of two boards as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.board.diff import DIFF_KINDS, MEANINGS, Diff
from benchmark.board.sentences import change_text, score_text
from benchmark.report.drawing import Axis, Tick
from benchmark.report.labels import candidate_labels
from benchmark.report.page import render


class Row(NamedTuple):
    """A candidate on both boards."""

    mark: str
    meaning: str
    label: str
    candidate: str
    ranks: str
    scores: str
    change: str
    """The difference with its interval, positive for better."""
    value: str
    """The difference to sort by; empty where there is none."""
    p_value: str
    status: str
    left: float
    """Where its interval begins on a scale of 0..100 %; NaN without a difference."""
    width: float
    middle: float


class Comparison(NamedTuple):
    """The rows, and the scale of their differences in percent, with 0 in the middle."""

    rows: list[Row]
    ticks: list[Tick]


def diff_page(found: Diff, left: str, right: str) -> str:
    """The page of a comparison; `left` and `right` are the names of the two boards."""
    return render(
        "diff.html.j2",
        left=left,
        right=right,
        sentences=[sentence for sentence in found.sentences if not sentence.startswith("Changed besides: ")],
        changes=found.changes,
        comparison=compared(found.table),
        comparable=found.comparable,
    )


def compared(table: pd.DataFrame) -> Comparison:
    """The rows of a diff, ready to be drawn."""
    labels = candidate_labels(table.assign(status=table["status_right"].fillna(table["status_left"])))
    ends = table[["difference", "difference_low", "difference_high"]].to_numpy(np.float64)
    known = np.abs(ends[np.isfinite(ends)])
    reach = max(float(known.max()) * 1.05 if known.size else 0.0, 1e-6)
    scale = Axis(-reach, reach, 0.0, 100.0, False)
    rows = [_row({str(key): value for key, value in row.items()}, labels, scale) for row in table.to_dict("records")]
    return Comparison(rows, scale.ticks())


def _row(row: Mapping[str, Any], labels: Mapping[str, str], scale: Axis) -> Row:
    values = {key: None if pd.isna(row[key]) else row[key] for key in DIFF_KINDS}
    difference, low, high = (values[key] for key in ("difference", "difference_low", "difference_high"))
    change, left, middle, right = "", float("nan"), float("nan"), float("nan")
    if difference is not None:
        ends = np.array([difference if low is None else low, difference, difference if high is None else high])
        left, middle, right = scale.place(ends.astype(np.float64)).round(2).tolist()
        interval = "" if low is None or high is None else f" [{change_text(low)}, {change_text(high)}]"
        change = change_text(difference) + interval
    known = [values[f"score_{side}"] for side in _SIDES]
    scores = ["" if score is None else score_text(score) for score in known]
    return Row(
        mark=row["mark"],
        meaning=MEANINGS[row["mark"]],
        label=labels[row["candidate"]],
        candidate=_arrow(values["candidate_left"] or "", row["candidate"]),
        ranks=_arrow(*(str(values[f"ranks_{side}"] or "") for side in _SIDES)),
        scores=_arrow(*scores),
        change=change,
        value="" if difference is None else f"{difference:.9g}",
        p_value="" if values["p_value"] is None else f"{values['p_value']:.3f}",
        status=_arrow(*(str(values[f"status_{side}"] or "") for side in _SIDES)),
        left=left,
        width=round(right - left, 2),
        middle=middle,
    )


_SIDES = ("left", "right")


def _arrow(before: str, after: str) -> str:
    """`1-2 → 3`, or the one value where nothing changed or only one side has it."""
    return before if before == after or not after else after if not before else f"{before} → {after}"
