"""The columns of leaderboard.csv: their order, their kinds and how a cell is written and read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd

from benchmark.spec import AXES

SCHEMA_VERSION = 2
"""Of leaderboard.csv; raised when a column changes its name, place or meaning."""

Kind = Literal["text", "integer", "decimal", "truth"]

SHOWN_METRICS = ("balanced_accuracy", "macro_f1", "accuracy", "log_loss", "ece")
"""Metrics with a value, a 95 % interval and the standard deviation over seeds on every board."""

DECIMALS = 6
"""Digits after the point of every decimal cell."""

_DTYPES: Mapping[Kind, Any] = {"text": "str", "integer": "Int64", "decimal": "float64", "truth": "boolean"}


def _kinds() -> dict[str, Kind]:
    kinds: dict[str, Kind] = {"schema_version": "integer"}
    kinds |= dict.fromkeys(("rank", "rank_low", "rank_high"), "integer")
    kinds |= {"tied_with_best": "truth", "status": "text"}
    kinds |= dict.fromkeys(AXES, "text")
    kinds |= {"image_size": "integer", "weights": "text"}
    kinds |= dict.fromkeys(("n_seeds", "n_planned", "n_folds", "n_failed"), "integer")
    for metric in SHOWN_METRICS:
        kinds |= dict.fromkeys((f"test_{metric}{end}" for end in ("", "_low", "_high", "_seed_sd")), "decimal")
    kinds |= {"primary": "text"}
    kinds |= dict.fromkeys(("image_sd", "gap_to_best_low", "gap_to_best_high", "val_primary"), "decimal")
    kinds |= {"val_rank": "integer", "val_minus_test": "decimal"}
    kinds |= {"worst_class": "text", "worst_class_recall": "decimal"}
    kinds |= dict.fromkeys(("total_parameters", "trainable_parameters", "flops"), "integer")
    kinds |= {"on_front": "truth", "training": "text", "variant": "text"}
    kinds |= {"fingerprint": "text", "candidate": "text"}
    return kinds


KINDS: Mapping[str, Kind] = _kinds()
COLUMNS: tuple[str, ...] = tuple(KINDS)


def typed(rows: list[dict[str, Any]], kinds: Mapping[str, Kind]) -> pd.DataFrame:
    """A table of these columns in their order; what a row does not say is missing."""
    columns = {name: pd.Series([row.get(name) for row in rows], dtype=_DTYPES[kind]) for name, kind in kinds.items()}
    return pd.DataFrame(columns)


def csv_text(rows: list[list[str]]) -> str:
    """Comma-separated lines that end in LF; cells are quoted where they must be."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def written(table: pd.DataFrame, kinds: Mapping[str, Kind]) -> str:
    """The table as CSV: a header line, fixed decimals, empty cells for what is unknown."""
    cells = [[cell(value, kinds[name]) for value in table[name]] for name in kinds]
    return csv_text([list(kinds), *(list(row) for row in zip(*cells, strict=True))])


def cell(value: Any, kind: Kind) -> str:
    """One cell: `0.912345`, `12`, `true`, a text, or nothing."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    if kind == "decimal":
        text = f"{value:.{DECIMALS}f}"
        return text.removeprefix("-") if float(text) == 0 else text
    if kind == "truth":
        return "true" if value else "false"
    return str(int(value)) if kind == "integer" else str(value)
