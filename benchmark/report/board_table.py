"""The board as a page shows it: cells with a text to read and a value to sort by, and intervals as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.board.candidates import Candidate
from benchmark.board.columns import SHOWN_METRICS
from benchmark.board.markdown import interval_text, range_text
from benchmark.board.sentences import score_text
from benchmark.board.table import Leaderboard
from benchmark.metrics import find
from benchmark.report.drawing import Axis, Tick
from benchmark.report.page import thousands
from benchmark.spec import AXES
from benchmark.wording import amount


class Column(NamedTuple):
    """A column's title, what it means, and whether it is seen at first."""

    title: str
    meaning: str
    numeric: bool
    hidden: bool


class Cell(NamedTuple):
    """What is read, and what is sorted by; empty for what is unknown, which comes last."""

    text: str
    value: str


class Row(NamedTuple):
    """A candidate's cells, one for each column."""

    candidate: str
    label: str
    status: str
    tied: bool
    cells: tuple[Cell, ...]
    runs: tuple[tuple[str, str, bool], ...]
    """Run id, its seed and fold, and whether it has a page."""


class Bar(NamedTuple):
    """An interval on a scale of 0..100 %."""

    label: str
    tied: bool
    left: float
    width: float
    middle: float
    text: str
    rank_left: float
    rank_width: float
    ranks: str


class Forest(NamedTuple):
    """The score intervals of the ranked rows on one scale, and the places they may hold."""

    bars: list[Bar]
    ticks: list[Tick]
    """Places in percent."""
    rank_ticks: list[Tick]


_AXIS_MEANING = {
    "backbone": "the network that sees the pictures",
    "head": "the layers on top of it",
    "finetune": "which of its layers learn",
    "weighting": "how unequal classes are weighed",
    "augmentation": "random changes of the training pictures",
    "image_size": "pixels a side",
    "weights": "where the network starts from",
    "training": "optimizer, batch, epochs",
}


def columns(board: Leaderboard, rows: Sequence[Row]) -> list[Column]:
    """All columns; those most often asked for are seen at first, unless they are empty."""
    empty = [not any(row.cells[place].text for row in rows) for place in range(len(rows[0].cells) if rows else 0)]
    titles = _columns(board.primary)
    return [column._replace(hidden=True) if bare else column for column, bare in zip(titles, empty, strict=False)]


def _columns(primary: str) -> list[Column]:
    axes = [
        Column(name.replace("_", " "), _AXIS_MEANING[name], name == "image_size", True)
        for name in (*AXES, "image_size", "weights", "training")
    ]
    return [
        Column("rank", "the places that this row may hold, all rows right at once in 95 % of boards", True, False),
        Column("state", "tied: may be the best one", False, False),
        *axes,
        Column(_words(primary), f"on the test pictures with its 95 % interval; {_better(primary)}", True, False),
        Column("gap to best", "how much better the best may be", True, False),
        Column("seed sd", "standard deviation of the score over seeds", True, False),
        *(
            Column(_words(name), f"with its 95 % interval; {_better(name)}", True, True)
            for name in SHOWN_METRICS
            if name != primary
        ),
        Column("validation", f"{_words(primary)} on validation, which chose the epoch", True, True),
        Column("rank on validation", "the place it would have by validation", True, True),
        Column("worst class", "the class with the lowest recall", True, False),
        Column("parameters", "of the whole network", True, True),
        Column("trainable", "parameters that learn", True, False),
        Column("MFLOPs", "millions of operations for one picture", True, False),
        Column("on the front", "no row is better and smaller and cheaper", False, True),
        Column("ms a picture", "from pixels to probabilities, one picture, median", True, False),
        Column("ms for 32", "a batch of 32 pictures, median", True, True),
        Column("seconds", "training and all the rest of a run, mean", True, False),
        Column("memory MB", "the highest of its runs", True, True),
        Column("epochs kept", "the epoch whose weights were kept, of each run", False, True),
    ]


def rows(
    board: Leaderboard, prices: pd.DataFrame, candidates: Mapping[str, Candidate], labels: Mapping[str, str],
    pages: frozenset[str],
) -> list[Row]:  # fmt: skip
    """All rows in the board's order.

    Args:
        board: the leaderboard.
        prices: the candidates' costs (`benchmark.board.costs`).
        candidates: by id.
        labels: by id.
        pages: the run ids that have a page of their own.
    """
    spent = {row["candidate"]: {str(key): value for key, value in row.items()} for row in prices.to_dict("records")}
    found = []
    for line in board.table.to_dict("records"):
        row = {str(key): value for key, value in line.items()}
        runs = tuple(
            (record.run_id, _run_name(record.seed, record.spec), record.run_id in pages)
            for record in candidates[row["candidate"]].records
        )
        tied = row["tied_with_best"] is True
        name = row["candidate"]
        found.append(Row(name, labels[name], row["status"], tied, _cells(row | spent[name], board.primary), runs))
    return found


def forest(board: Leaderboard, labels: Mapping[str, str]) -> Forest:
    """Intervals of the ranked rows."""
    ranked = board.ranked
    name = f"test_{board.primary}"
    if not len(ranked):
        return Forest([], [], [])
    low, high = float(ranked[f"{name}_low"].min()), float(ranked[f"{name}_high"].max())
    room = max((high - low) * 0.03, 1e-6)
    scale = Axis(low - room, high + room, 0.0, 100.0, False)
    count = len(ranked)
    places = Axis(0.5, count + 0.5, 0.0, 100.0, False)
    bars = []
    for row in ranked.to_dict("records"):
        left, middle, right = scale.place(np.array([row[f"{name}_low"], row[name], row[f"{name}_high"]])).tolist()
        first, last = places.place(np.array([row["rank_low"] - 0.5, row["rank_high"] + 0.5])).tolist()
        text = interval_text(row[name], row[f"{name}_low"], row[f"{name}_high"])
        ends = (round(left, 2), round(right - left, 2), round(middle, 2))
        bars.append(
            Bar(
                labels[row["candidate"]], bool(row["tied_with_best"]), *ends, text, round(first, 2),
                round(last - first, 2), range_text(row["rank_low"], row["rank_high"]),
            )
        )  # fmt: skip
    rank_ticks = [tick for tick in places.ticks() if "." not in tick.text and tick.text != "0"]
    return Forest(bars, scale.ticks(), rank_ticks)


def _cells(row: Mapping[str, Any], primary: str) -> tuple[Cell, ...]:
    ranked = not pd.isna(row["rank"])
    name = f"test_{primary}"
    gap = f"{score_text(row['gap_to_best_low'])}-{score_text(row['gap_to_best_high'])}" if ranked else ""
    worst = row["worst_class_recall"]
    return (
        Cell(range_text(row["rank_low"], row["rank_high"]), str(row["rank"])) if ranked else Cell("", ""),
        Cell(_state(row), _state(row)),
        *(_plain(row[axis]) for axis in (*AXES, "image_size", "weights", "training")),
        _scored(row, name),
        Cell(gap, _value(row["gap_to_best_high"])),
        _number(row[f"{name}_seed_sd"], score_text),
        *(_scored(row, f"test_{other}") for other in SHOWN_METRICS if other != primary),
        _number(row["val_primary"], score_text),
        _number(row["val_rank"], str),
        Cell("" if pd.isna(worst) else f"{score_text(worst)} {row['worst_class']}", _value(worst)),
        _number(row["total_parameters"], thousands),
        _number(row["trainable_parameters"], thousands),
        _number(None if pd.isna(row["flops"]) else row["flops"] / 1e6, lambda value: f"{value:,.1f}"),
        Cell("yes" if row["on_front"] is True else "", "1" if row["on_front"] is True else ""),
        _number(row["latency_ms_batch_1_p50"], amount),
        _number(row["latency_ms_batch_32_p50"], amount),
        _number(row["seconds_total_mean"], lambda value: f"{value:.1f}"),
        _number(row["peak_memory_mb_max"], thousands),
        _plain(row["best_epochs"]),
    )


def _scored(row: Mapping[str, Any], name: str) -> Cell:
    return Cell(interval_text(row[name], row[f"{name}_low"], row[f"{name}_high"]), _value(row[name]))


def _number(value: Any, text: Any) -> Cell:
    return Cell("", "") if value is None or pd.isna(value) else Cell(text(value), _value(value))


def _plain(value: Any) -> Cell:
    text = "" if pd.isna(value) else str(value)
    return Cell(text, text)


def _value(value: Any) -> str:
    return "" if value is None or pd.isna(value) else f"{float(value):.9g}"


def _state(row: Mapping[str, Any]) -> str:
    if not pd.isna(row["rank"]):
        return "tied" if row["tied_with_best"] else "ranked"
    return f"{row['n_seeds']}/{row['n_planned']} seeds" if row["status"] == "incomplete" else str(row["status"])


def _run_name(seed: int, spec: Any) -> str:
    fold = getattr(getattr(spec, "dataset", None), "fold", None)
    return str(seed) if fold is None else f"{seed} fold {fold}"


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _better(metric: str) -> str:
    return "higher is better" if find(metric).higher_is_better else "lower is better"
