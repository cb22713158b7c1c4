"""Diff: what changed between two boards, and which of it is more than chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from benchmark.board.candidates import recipe
from benchmark.board.change import Mark, Side, compare, correct
from benchmark.board.columns import Kind, typed
from benchmark.spec import AXES
from benchmark.wording import counted

MEANINGS: Mapping[Mark, str] = {
    "+": "better",
    "-": "worse",
    "~": "not significant",
    "=": "same",
    "new": "only on the right",
    "gone": "only on the left",
    "*": "a failure is fixed",
    "!": "a new failure",
    "x": "not comparable",
}
REGRESSIONS: tuple[Mark, ...] = ("-", "!")
UNCHANGED: tuple[Mark, ...] = ("=", "~")
NAMES = (*AXES, "image_size", "weights", "training", "variant")
"""What a person knows a row by; rows on other pictures are joined by it."""

DIFF_KINDS: Mapping[str, Kind] = {
    "mark": "text",
    **{name: "integer" if name == "image_size" else "text" for name in NAMES},
    "seeds_left": "integer",
    "seeds_right": "integer",
    "status_left": "text",
    "status_right": "text",
    "ranks_left": "text",
    "ranks_right": "text",
    "score_left": "decimal",
    "score_right": "decimal",
    "difference": "decimal",
    "difference_low": "decimal",
    "difference_high": "decimal",
    "p_value": "decimal",
    "candidate": "text",
    "candidate_left": "text",
}
"""Columns of a diff; `difference` is positive when the right side is better, whatever the metric. `candidate` is the
right side's, or the left side's where it has no partner; `candidate_left` is empty where it is the same."""


class CannotPair(ValueError):
    """Columns that do not say which row of one board belongs to which of the other."""


@dataclass(frozen=True, eq=False)
class Diff:
    """The rows of both boards, joined."""

    table: pd.DataFrame
    """Columns DIFF_KINDS; regressions first, then improvements, then the rest."""
    sentences: tuple[str, ...]
    comparable: bool
    """Whether both boards speak of the same pictures by the same metric."""
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What else differs: data, versions, code."""

    @property
    def regressions(self) -> int:
        """How many rows are significantly worse or newly failed."""
        return int(self.table["mark"].isin(REGRESSIONS).sum())


def diff(left: Side, right: Side, by: Sequence[str] = ()) -> Diff:
    """What is different on the right; rows are joined by candidate id, or by these columns of NAMES.

    With predictions on both sides every row is a paired test on the shared images (swap test, Holm-corrected over
    the rows); without them a row changed when its intervals do not overlap.

    Raises:
        CannotPair: `by` names no column, or two rows of one side are the same in all of them.
    """
    primary = _only(left, right, "primary")
    fingerprint = _only(left, right, "fingerprint")
    comparable = primary is not None and fingerprint is not None
    rows_left, rows_right = (_joinable(side, tuple(by), comparable) for side in (left, right))
    rows: list[dict[str, Any]] = []
    tested = False
    for name in dict.fromkeys((*rows_left, *rows_right)):
        before, after = rows_left.get(name), rows_right.get(name)
        row = _described(before, after)
        if not comparable and before is not None and after is not None:
            row["mark"] = "x"
        elif before is None or after is None:
            row["mark"] = "new" if before is None else "gone"
        elif _scored(before, primary) != _scored(after, primary):
            row["mark"] = "*" if _scored(after, primary) else "!"
        elif not _scored(before, primary):
            row["mark"] = "="
        else:
            found = compare(left, right, before, after)
            tested = tested or found.p_value is not None
            row |= {"difference": found.difference, "difference_low": found.low, "difference_high": found.high}
            row |= {"p_value": found.p_value, "mark": found.mark}
        rows.append(row)
    correct([row for row in rows if row.get("p_value") is not None])
    order = {mark: place for place, mark in enumerate(("-", "!", "+", "*", "new", "gone", "x", "~", "="))}
    rows.sort(key=lambda row: (order[row["mark"]], str(row["candidate"])))
    changes = _changes(left, right)
    sentences = (*_sentences(rows, tested, comparable, changes), *_pairing(rows, by))
    return Diff(typed(rows, DIFF_KINDS), sentences, comparable, changes)


def _only(left: Side, right: Side, column: str) -> str | None:
    """The one value of this column on both sides; None when there are several. An empty board agrees with any."""
    values = {*left.table[column].dropna(), *right.table[column].dropna()} - {""}
    return str(next(iter(values), "")) if len(values) <= 1 else None


def _joinable(side: Side, by: tuple[str, ...], comparable: bool) -> dict[tuple[str, ...], dict[str, Any]]:
    """The side's rows by what joins them: the named columns, else the candidate id; other pictures give other ids."""
    unknown = [name for name in by if name not in NAMES]
    if unknown:
        raise CannotPair(f"found {', '.join(unknown)} to pair rows by; expected some of {', '.join(NAMES)}")
    columns = by or (("candidate",) if comparable else NAMES)
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for content in side.table.to_dict("records"):
        row = {str(name): None if pd.isna(value) else value for name, value in content.items()}
        values = tuple("" if row[name] is None else str(row[name]) for name in columns)
        twin = rows.get(values)
        if by and twin is not None:
            if (twin["rank"] is None) != (row["rank"] is None):
                rows[values] = twin if row["rank"] is None else row  # the one without a score cannot be compared
                continue
            apart = [name for name in NAMES if twin[name] != row[name]]
            same = ", ".join(f"{name}={row[name]}" for name in by)
            raise CannotPair(
                f"found two rows with {same} in {side.name}, {twin['candidate']} and {row['candidate']}; expected one: "
                f"add {' or '.join(apart)}, in which they differ"
            )
        rows[values] = row
    return rows


def _scored(row: Mapping[str, Any], primary: str | None) -> bool:
    """Whether every planned run of the row has a result."""
    return row["status"] in ("ok", "baseline") and row.get(f"test_{primary}") is not None


def _described(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    """Names, states, ranks and scores of a row."""
    one = after or before or {}
    row: dict[str, Any] = {name: one[name] for name in (*NAMES, "candidate")}
    if before and after and before["candidate"] != after["candidate"]:
        row["candidate_left"] = before["candidate"]
    for side, content in (("left", before), ("right", after)):
        if content is None:
            continue
        score = content.get(f"test_{content['primary']}")
        row |= {f"status_{side}": content["status"], f"score_{side}": score, f"seeds_{side}": content["n_seeds"]}
        if content["rank_low"] is not None:
            low, high = content["rank_low"], content["rank_high"]
            row[f"ranks_{side}"] = str(low) if low == high else f"{low}-{high}"
    return row


def _changes(left: Side, right: Side) -> dict[str, tuple[str, str]]:
    """What else is different: data and metric, and with records at hand configuration, code, versions, machine."""
    facts = [_facts(side) for side in (left, right)]
    keys = sorted(facts[0].keys() | facts[1].keys())
    if not (left.candidates and right.candidates):  # a file alone says nothing of its configuration
        keys = [key for key in keys if key in ("primary", "fingerprint")]
    pairs = {key: (facts[0].get(key, "-"), facts[1].get(key, "-")) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _facts(side: Side) -> dict[str, str]:
    """What a side's results were computed from and with."""
    found: dict[str, set[str]] = {}
    for column in ("primary", "fingerprint"):
        found[column] = {str(value)[:12] for value in side.table[column].dropna()}
    for candidate in side.candidates.values():
        if not candidate.is_baseline:
            for key, value in recipe(candidate.spec).items():
                found.setdefault(key, set()).add(str(value))
        for record in candidate.records:
            environment = dict(record.environment)
            for package, version in environment.pop("versions", {}).items():
                found.setdefault(f"version of {package}", set()).add(str(version))
            for key in ("commit", "dirty", "python", "cpu", "threads", "devices"):
                if key in environment:
                    found.setdefault(key, set()).add(str(environment[key])[:40])
    return {key: ", ".join(sorted(values)) for key, values in found.items() if values}


def _sentences(
    rows: Sequence[Mapping[str, Any]], tested: bool, comparable: bool, changes: Mapping[str, tuple[str, str]]
) -> tuple[str, ...]:
    """What the diff says in words."""
    counts = pd.Series([row["mark"] for row in rows], dtype="str").value_counts()
    told = [f"{counts[mark]} {MEANINGS[mark]} ({mark})" for mark in MEANINGS if mark in counts.index]
    lines = [", ".join(told) + "." if told else "Two empty boards."]
    if not comparable:
        lines.append("Not comparable: the boards rank by other metrics or speak of other pictures, labels or splits.")
    elif tested:
        lines.append("Paired swap test on the shared test images, corrected for the number of rows (Holm, 5 %).")
    elif {"+", "-", "~"} & set(counts.index):
        lines.append(
            "No predictions at hand: a row counts as changed when its 95 % intervals do not overlap, which misses "
            "smaller changes; compare the two folders for a paired test."
        )
    lines += _seeds(rows)
    lines += [f"Changed besides: {key}: {pair[0]} -> {pair[1]}" for key, pair in changes.items()]
    return tuple(lines)


def _pairing(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> list[str]:
    """What the rows of a pair have in common, or how rows that are not the same candidate can be paired."""
    pairs = sum(bool(row.get("status_left") and row.get("status_right")) for row in rows)
    if by:
        others = sum("candidate_left" in row for row in rows)
        return [f"Paired by {', '.join(by)}: {counted(pairs, 'row')} on both sides, {others} of them other candidates."]
    alone = [any(row["mark"] == "gone" and row["status_left"] != "baseline" for row in rows)]
    alone.append(any(row["mark"] == "new" and row["status_right"] != "baseline" for row in rows))
    if all(alone):
        return ["Rows are paired when all their options are the same; --by backbone,head pairs them by these alone."]
    return []


def _seeds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which rows have a result for another number of seeds than before."""
    counts = Counter(
        (row["seeds_left"], row["seeds_right"])
        for row in rows
        if row.get("status_left") and row.get("status_right") and row["seeds_left"] != row["seeds_right"]
    )
    if not counts:
        return []
    told = ", ".join(f"{before} -> {after} in {counted(number, 'row')}" for (before, after), number in counts.items())
    return [f"Finished seeds: {told}; a score that rests on other seeds moves for that alone."]
