"""The files of a sweep that people read and diff, written from its records alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from filelock import FileLock

from benchmark import store
from benchmark.board import leaderboard
from benchmark.records import RunRecord


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
        made = dataclasses.replace(made, sentences=(*made.sentences, *_wear(directory, records)))
        texts = {
            "leaderboard.csv": leaderboard.to_csv(made),
            "leaderboard.md": leaderboard.to_markdown(made),
            "costs.csv": leaderboard.costs_csv(records),
            "runs.csv": leaderboard.runs_csv(records),
        }
        for name, text in texts.items():
            store.write_text(directory / name, text)
    return Published(made, [directory / name for name in texts])


def _wear(directory: Path, records: list[RunRecord]) -> list[str]:
    """A warning when other sweeps beside this one have looked at the same test set with other candidates."""
    own = {record.candidate for record in records if record.finished}
    seen, sweeps = set(own), 1
    for path in sorted(directory.parent.glob("*/leaderboard.csv")):
        if path.parent == directory:
            continue
        table = pd.read_csv(path, usecols=lambda name: name in ("fingerprint", "rank", "candidate"))
        if {"fingerprint", "rank", "candidate"} <= set(table.columns):
            same = table[(table["fingerprint"] == records[0].fingerprint) & table["rank"].notna()]
            sweeps += not set(same["candidate"]) <= seen
            seen |= set(same["candidate"])
    if sweeps == 1:
        return []
    return [
        f"{sweeps} sweeps in {directory.parent.name}/ have looked at this test set with {len(seen)} candidates: the "
        "more often it is asked, the luckier its best answer; settle the choice on pictures that no sweep has seen."
    ]
