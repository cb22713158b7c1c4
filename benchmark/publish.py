"""The files of a sweep that people read and diff, written from its records alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from benchmark import store
from benchmark.board import leaderboard


class Published(NamedTuple):
    """The board and the files that hold it."""

    board: leaderboard.Leaderboard
    files: list[Path]


def board(directory: Path) -> Published:
    """Rewrite leaderboard.csv, leaderboard.md, costs.csv and runs.csv from the records in the sweep's folder."""
    with FileLock(directory / ".board.lock"):
        records = store.load_records(directory)
        made = leaderboard.build(
            records, lambda record: store.load_predictions(directory, record.run_id), records[0].primary
        )
        texts = {
            "leaderboard.csv": leaderboard.to_csv(made),
            "leaderboard.md": leaderboard.to_markdown(made),
            "costs.csv": leaderboard.costs_csv(records),
            "runs.csv": leaderboard.runs_csv(records),
        }
        for name, text in texts.items():
            store.write_text(directory / name, text)
    return Published(made, [directory / name for name in texts])
