"""Verification: whether what a sweep's folder and MLflow hold is what its records say."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

from benchmark import publish, store
from benchmark.board.table import Leaderboard

TABLES = ("leaderboard.csv", "costs.csv", "runs.csv")
"""Files that follow from the records alone; leaderboard.md also speaks of the sweeps beside it."""


class Verified(NamedTuple):
    """What was compared and what does not agree."""

    board: Leaderboard
    """As the records give it."""
    runs: int
    """Records that were read."""
    differences: list[str]
    """One sentence each."""


def verify_files(directory: Path) -> Verified:
    """Compare the records with their checksums, and the tables in the folder with what the records give.

    Raises:
        NoSuchSweep: there is no run in the folder.
        BrokenRecord: no run is whole.
    """
    survey = store.survey(directory)
    drawn = publish.draw(directory)
    differences = [run.sentence for run in survey.broken]
    for record in survey.records:
        run = store.run_directory(directory, record.run_id)
        for name in store.changed_files(store.load_stored(run), run):
            differences.append(f"{run / name} is missing, edited or damaged: its checksum in record.json is another")
    differences += [found for name in TABLES if (found := _table(directory / name, drawn.texts[name]))]
    return Verified(drawn.board, len(survey.records) + len(survey.broken), differences)


def _table(path: Path, expected: str) -> str:
    """What is wrong with a table; empty when it is what the records give."""
    remedy = f"`bench rebuild {path.parent}` writes it again"
    if not path.is_file():
        return f"{path} is missing: {remedy}"
    found = path.read_bytes().decode("utf-8", errors="replace")
    if found == expected:
        return ""
    pairs = itertools.zip_longest(found.split("\n"), expected.split("\n"))
    line = next(number for number, (one, other) in enumerate(pairs, start=1) if one != other)
    return f"{path} differs from what the records give, first in line {line}: {remedy}"
