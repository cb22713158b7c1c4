"""What a measurement found, and the table that keeps it: a row for each work, data and weights."""

import datetime
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmark.environment import describe

KEY = ["work", "data", "weights"]
NARROWEST = 150
"""Columns of the printed table where nothing is known of the terminal."""


class Goal(NamedTuple):
    """What the median of the rounds shall be."""

    text: str
    is_reached: Callable[[float], bool]


def at_least(ratio: float) -> Goal:
    """Plain Keras takes at least so many times as long as we do."""
    return Goal(f">= {ratio:g}", lambda found: found >= ratio)


def under(bound: float, unit: str) -> Goal:
    """Our own seconds or GiB stay below."""
    return Goal(f"< {bound:g} {unit}", lambda found: found < bound)


class Round(NamedTuple):
    """One round: seconds of the same work on both sides, or a value of ours alone."""

    ours: float
    theirs: float | None = None

    @property
    def value(self) -> float:
        """How many times as long the other side takes, or our own value."""
        return self.ours if self.theirs is None else self.theirs / self.ours


class Work(NamedTuple):
    """What is measured, and on what."""

    name: str
    goal: Goal | None
    """None where a value is only kept beside another."""
    data: str
    weights: str
    pictures: int
    """Of all three splits where there are splits."""
    runs: int
    epochs: int


class Figure(NamedTuple):
    """The rounds of a work."""

    work: Work
    rounds: Sequence[Round]
    note: str = ""

    @property
    def found(self) -> float:
        """The median of the rounds."""
        return median(one.value for one in self.rounds)

    @property
    def verdict(self) -> str:
        """`reached`, `MISSED`, or nothing where there is no goal."""
        goal = self.work.goal
        return "" if goal is None else "reached" if goal.is_reached(self.found) else "MISSED"


def median(values: Iterable[float]) -> float:
    """The median as a plain number."""
    return float(np.median(list(values)))


def facts() -> dict[str, Any]:
    """The machine, the code and the day that a figure belongs to."""
    found = describe()
    return {
        "cpu": found["cpu"],
        "cores": found["cores"],
        "memory_gb": found["memory_gb"],
        "commit": found["commit"][:12] + ("+changes" if found["dirty"] else ""),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": " ".join(f"{name}=={version}" for name, version in found["versions"].items()),
    }


def row(figure: Figure) -> dict[str, Any]:
    """A row that says by itself what it is about; `ours` and `plain_keras` hold every round's seconds."""
    work, theirs = figure.work, [one.theirs for one in figure.rounds if one.theirs is not None]
    return {
        **{name: getattr(work, name) for name in ("data", "weights", "pictures", "runs", "epochs")},
        "work": work.name,
        "goal": work.goal.text if work.goal else "",
        "found": round(figure.found, 3),
        "verdict": figure.verdict,
        "rounds": _texts(one.value for one in figure.rounds),
        "ours": _texts(one.ours for one in figure.rounds),
        "plain_keras": _texts(theirs),
        "note": figure.note,
    }


def keep(rows: Sequence[dict[str, Any]], key: list[str], path: Path) -> None:
    """Put rows into the table, with the facts of the machine; those that have the same key go, all others stay."""
    table = pd.DataFrame([{**one, **facts()} for one in rows])
    table = table[key + [name for name in table.columns if name not in key]]
    if path.exists():
        before = pd.read_csv(path, keep_default_na=False)
        if list(before.columns) == list(table.columns):
            again = pd.MultiIndex.from_frame(before[key].astype(str)).isin(
                pd.MultiIndex.from_frame(table[key].astype(str))
            )
            table = pd.concat([before[~again], table])
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")


def show(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print lines of text as a table, and the machine below it."""
    console = Console(width=None if Console().is_terminal else NARROWEST, highlight=False)
    table = Table(*titles)
    for line in lines:
        table.add_row(*line)
    console.print(table)
    found = facts()
    console.print(
        f"{found['cpu']}, {found['cores']} cores, {found['memory_gb']} GB; {found['date']}, {found['commit']}"
    )


def show_figures(figures: Sequence[Figure]) -> None:
    """Print what was found."""
    titles = ("work", "data", "goal", "found", "verdict", "rounds", "ours", "plain_keras")
    show(titles, [[str(row(figure)[title]) for title in titles] for figure in figures])


def _texts(values: Iterable[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
