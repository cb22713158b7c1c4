"""leaderboard.md: the sentences, a table a person can read, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from benchmark.board.sentences import score_text
from benchmark.board.table import Leaderboard
from benchmark.records import Failure
from benchmark.spec import AXES

_VARYING = (*AXES, "image_size", "weights", "training", "variant")
"""What may tell two candidates apart, in the order of the columns."""


class Compact(NamedTuple):
    """A board as it is read: few columns of text, one line a candidate."""

    titles: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def varying_names(board: Leaderboard) -> list[str]:
    """The columns that a person knows a row by: the backbone, and what differs between rows."""
    return [name for name in _VARYING if name == "backbone" or _varies(board.table, name)]


def compact(board: Leaderboard) -> Compact:
    """The board's rows as text; of the names only those that differ between rows."""
    table = board.table
    varying = varying_names(board)
    titles = (
        "rank",
        "tied",
        *varying,
        f"{board.primary} [95 %]",
        "gap to best",
        "seed sd",
        "worst class",
        "parameters",
    )
    lines = tuple(tuple(_line(row, board.primary, varying)) for row in table.to_dict("records"))
    return Compact(titles, lines)


def to_markdown(board: Leaderboard) -> str:
    """leaderboard.md: the same text for the same results."""
    text = compact(board)
    parts = ["# Leaderboard", "", *(f"- {escaped(sentence)}" for sentence in board.sentences), ""]
    if text.lines:
        parts += [*markdown_table(text.titles, text.lines), ""]
    if board.failures:
        parts += ["## Runs without a result", ""]
        titles = ("candidate", "seed", "status", "reason")
        failures = [
            (run.candidate, str(run.seed), run.status, _reason(run.kind, run.message)) for run in board.failures
        ]
        parts += [*markdown_table(titles, failures), ""]
    return "\n".join(parts)


def markdown_table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table; whatever the cells hold, it stays a table."""
    rows = [titles, ["---"] * len(titles), *lines]
    return ["| " + " | ".join(escaped(text) for text in row) + " |" for row in rows]


def interval_text(score: float, low: float, high: float) -> str:
    """`.924 [.905, .940]`, or nothing when the score is unknown."""
    if pd.isna(score):
        return ""
    return f"{score_text(score)} [{score_text(low)}, {score_text(high)}]"


def range_text(low: Any, high: Any) -> str:
    """`1-4`, or `5` where both ends are the same."""
    return str(low) if low == high else f"{low}-{high}"


def _line(row: dict[Any, Any], primary: str, varying: Sequence[str]) -> list[str]:
    ranked = not pd.isna(row["rank"])
    name = f"test_{primary}"
    tied = ("tied" if row["tied_with_best"] else "") if ranked else _state(row)
    gap = f"{score_text(row['gap_to_best_low'])}-{score_text(row['gap_to_best_high'])}" if ranked else ""
    spread = row[f"{name}_seed_sd"]
    worst = (
        "" if pd.isna(row["worst_class_recall"]) else f"{row['worst_class']} {score_text(row['worst_class_recall'])}"
    )
    return [
        range_text(row["rank_low"], row["rank_high"]) if ranked else "",
        tied,
        *names_text(row, varying),
        interval_text(row[name], row[f"{name}_low"], row[f"{name}_high"]),
        gap,
        "" if pd.isna(spread) else score_text(spread),
        worst,
        "" if pd.isna(row["total_parameters"]) else f"{row['total_parameters']:,}",
    ]


def names_text(row: Mapping[Any, Any], names: Sequence[str]) -> list[str]:
    """The cells that a person knows the row by."""
    return ["" if pd.isna(row[name]) else _shortened(str(row[name])) for name in names]


def _shortened(text: str) -> str:
    """A weights file without most of its hash: `xception.weights.h5 (c51e)`; any other text as it is."""
    name, mark, digest = text.partition("@sha256:")
    return f"{name} ({digest[:4]})" if mark else text


def _state(row: dict[Any, Any]) -> str:
    """Why a row has no rank: `2/3 seeds`, `baseline`, `crashed`."""
    if row["status"] == "incomplete":
        return f"{row['n_seeds']}/{row['n_planned']} seeds"
    return str(row["status"])


def _varies(table: pd.DataFrame, name: str) -> bool:
    values = table.loc[table["status"] != "baseline", name]
    return values.nunique(dropna=False) > 1


def _reason(kind: str, message: str) -> str:
    return Failure(kind=kind, message=message).told or "unknown"


def escaped(text: str) -> str:
    """The text on one line, with nothing in it that Markdown or HTML would take for its own."""
    safe = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`").replace("*", "\\*")
    return " ".join(safe.split())
