"""Leaderboard: the table of candidates with the sentences that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from benchmark.board.columns import KINDS, written


class FailedRun(NamedTuple):
    """A run without a result and why."""

    candidate: str
    run_id: str
    seed: int
    status: str
    kind: str
    message: str
    command: str


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """One row per candidate, in the order of leaderboard.csv, and what must be said with it."""

    table: pd.DataFrame
    """The columns of `benchmark.board.columns.COLUMNS`: ranked rows, baselines, then rows without a rank."""
    sentences: tuple[str, ...]
    """What the table can and cannot tell, in reading order; the same in every rendering."""
    failures: tuple[FailedRun, ...]
    primary: str
    """The metric it ranks by."""

    @property
    def ranked(self) -> pd.DataFrame:
        """The rows that were compared."""
        return self.table[self.table["rank"].notna()]


def to_csv(board: Leaderboard) -> str:
    """leaderboard.csv: the same bytes for the same results; no time, duration or machine in it."""
    return written(board.table, KINDS)
