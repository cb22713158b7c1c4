"""Change: one candidate on two boards, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pandas as pd

from benchmark.board.candidates import Candidate
from benchmark.board.evidence import Load, MissingImages, collect
from benchmark.metrics import find
from benchmark.statistics import METRICS, Metric, paired_test

Mark = Literal["+", "-", "~", "=", "new", "gone", "*", "!", "x"]

LEVEL = 0.05


class Side(NamedTuple):
    """One of the two boards."""

    name: str
    table: pd.DataFrame
    """As leaderboard.csv."""
    candidates: Mapping[str, Candidate] = {}
    """With the records at hand: by candidate id."""
    load: Load | None = None
    """With the predictions at hand: from a run to them."""


class Change(NamedTuple):
    """Two scores of one candidate."""

    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    """None without predictions."""
    mark: Mark


def compare(left: Side, right: Side, before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    """The change of one candidate that has a score on both sides."""
    primary = str(after["primary"])
    sign = 1.0 if find(primary).higher_is_better else -1.0
    name = f"test_{primary}"
    difference = sign * (float(after[name]) - float(before[name]))
    new, old = right.candidates.get(str(after["candidate"])), left.candidates.get(str(before["candidate"]))
    if new and old and left.load and right.load and primary in METRICS:
        tested = _paired(_Runs(new, right.load), _Runs(old, left.load), primary)
        if tested:
            return tested
    ends = (f"{name}_low", f"{name}_high")
    if difference == 0 and all(before[end] == after[end] for end in ends):
        return Change(0.0, None, None, None, "=")
    better, worse = (after, before) if difference > 0 else (before, after)
    near, far = ends if sign > 0 else reversed(ends)
    apart = sign * (float(better[near]) - float(worse[far])) > 0
    return Change(difference, None, None, None, ("+" if difference > 0 else "-") if apart else "~")


class _Runs(NamedTuple):
    """A candidate and where its predictions come from."""

    candidate: Candidate
    load: Load


def _paired(new: _Runs, old: _Runs, primary: Metric) -> Change | None:
    """The swap test on the shared images; None when the images are not the same."""
    sources = {id(record): runs.load for runs in (new, old) for record in runs.candidate.records}
    try:
        evidence = collect([new.candidate, old.candidate], lambda record: sources[id(record)](record))
    except MissingImages:
        return None
    found = paired_test(evidence.outcomes, primary, seed=0)
    if found.difference == 0 and found.low == found.high:
        return Change(0.0, 0.0, 0.0, 1.0, "=")
    return Change(found.difference, found.low, found.high, found.p_value, "~")


def correct(rows: Sequence[dict[str, Any]]) -> None:
    """Correct the p-values for their number (Holm 1979), and mark what is left of them."""
    largest = 0.0
    for place, row in enumerate(sorted(rows, key=lambda row: row["p_value"])):
        largest = max(largest, min(1.0, row["p_value"] * (len(rows) - place)))
        row["p_value"] = largest
        if row["mark"] == "~" and largest <= LEVEL:
            row["mark"] = "+" if row["difference"] > 0 else "-"
