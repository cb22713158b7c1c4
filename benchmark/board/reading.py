"""Reading leaderboard.csv back, strictly: a hand-edited file is found out with its line and column."""

from __future__ import annotations

import csv
import io
from typing import Any

import pandas as pd

from benchmark.board.columns import COLUMNS, KINDS, SCHEMA_VERSION, Kind, typed


class BrokenBoard(ValueError):
    """A text that is not the leaderboard.csv that a sweep wrote."""

    exit_code = 1


class OtherSchema(ValueError):
    """A leaderboard.csv of another version of the columns."""

    exit_code = 5


def read_board(text: str, name: str) -> pd.DataFrame:
    """The table in the text of a leaderboard.csv; `name` is the file's, for messages. An empty text has no rows.

    Raises:
        BrokenBoard: a column, a cell or a number of cells is not what a sweep writes.
        OtherSchema: the columns are of another version.
    """
    lines = list(csv.reader(io.StringIO(text)))
    if not lines:
        return typed([], KINDS)
    header, *body = lines
    _require_columns(header, body, name)
    rows = []
    for number, cells in enumerate(body, start=2):
        if len(cells) != len(COLUMNS):
            raise BrokenBoard(
                f"found {len(cells)} cells in line {number} of {name}; expected {len(COLUMNS)}: the file was edited by "
                "hand, restore it from git or write it again with bench leaderboard DIR --format csv"
            )
        rows.append({key: _value(cell, key, number, name) for key, cell in zip(COLUMNS, cells, strict=True)})
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        first = seen.setdefault(row["candidate"], number)
        if first != number:
            raise BrokenBoard(
                f"found the candidate {row['candidate']} in lines {first} and {number} of {name}; expected each once: "
                "restore the file from git"
            )
    return typed(rows, KINDS)


def _require_columns(header: list[str], body: list[list[str]], name: str) -> None:
    """Check the version and the columns."""
    if header[:1] != ["schema_version"]:
        raise BrokenBoard(
            f"found {header[:1]} as the first column of {name}; expected schema_version: give a leaderboard.csv that a "
            "sweep wrote, or a sweep's folder"
        )
    version = body[0][0] if body and body[0] else str(SCHEMA_VERSION)
    if version != str(SCHEMA_VERSION):
        raise OtherSchema(
            f"found schema_version {version} in {name}; expected {SCHEMA_VERSION}: write it again from its records "
            "with bench leaderboard DIR --format csv"
        )
    if tuple(header) != COLUMNS:
        odd = sorted(set(header) ^ set(COLUMNS)) or ["another order"]
        raise BrokenBoard(
            f"found other columns in {name} ({', '.join(odd[:5])}); expected those of schema_version {SCHEMA_VERSION}: "
            "restore the file from git"
        )


def _value(cell: str, column: str, line: int, name: str) -> Any:
    """One cell as its column's kind; None where it is empty."""
    kind: Kind = KINDS[column]
    if cell == "":
        return None if kind != "text" else ""
    try:
        if kind == "integer":
            return int(cell)
        if kind == "decimal":
            return float(cell)
        if kind == "truth":
            return {"true": True, "false": False}[cell]
    except (ValueError, KeyError) as error:
        raise BrokenBoard(
            f"found {cell!r} in line {line} of {name}, column {column}; expected a cell of kind {kind}: the file was "
            "edited by hand, restore it from git"
        ) from error
    return cell
