"""The files of a sweep that people read and diff, written from its records alone."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from benchmark import store
from benchmark.board import leaderboard


def board(directory: Path) -> list[Path]:
    """Rewrite leaderboard.csv, leaderboard.md, costs.csv and runs.csv, and return their paths."""
    with FileLock(directory / ".board.lock"):
        records = store.load_records(directory)
        if not records:
            return []
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
    return [directory / name for name in texts]
