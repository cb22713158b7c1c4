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
from benchmark.spec import RunSpec
from benchmark.wording import counted_are

WEAR = "have looked at this test set with"
"""Words of the one sentence that speaks of the sweeps beside this one."""


class Drawn(NamedTuple):
    """What the records of a sweep say."""

    board: leaderboard.Leaderboard
    texts: dict[str, str]
    """The files by name."""


class Published(NamedTuple):
    """The board and the files that hold it."""

    board: leaderboard.Leaderboard
    files: list[Path]


def board(directory: Path) -> Published:
    """Rewrite leaderboard.csv, leaderboard.md, costs.csv and runs.csv from the records in the sweep's folder."""
    with FileLock(directory / ".board.lock"):
        drawn = draw(directory)
        for name, text in drawn.texts.items():
            store.write_text(directory / name, text)
    return Published(drawn.board, [directory / name for name in drawn.texts])


def draw(directory: Path) -> Drawn:
    """The board and the texts of its files, from the records alone; runs whose files are broken are named, not ranked.

    Raises:
        BrokenRecord: no run is whole.
        NoSuchSweep: there is no run.
    """
    records, broken = store.survey(directory)
    if not records:
        if broken:
            raise store.BrokenRecord(broken[0].sentence)
        raise store.NoSuchSweep(f"found no run in {directory}; expected a sweep's folder, results/<sweep.name>")
    made = leaderboard.build(
        records, lambda record: store.load_predictions(directory, record.run_id), records[0].primary
    )
    made = dataclasses.replace(made, sentences=(*made.sentences, *_damage(broken), *wear(directory, records)))
    texts = {
        "leaderboard.csv": leaderboard.to_csv(made),
        "leaderboard.md": leaderboard.to_markdown(made),
        "costs.csv": leaderboard.costs_csv(records, made),
        "runs.csv": leaderboard.runs_csv(records),
    }
    return Drawn(made, texts)


def _damage(broken: list[store.BrokenRun]) -> list[str]:
    """A warning when runs have no whole record."""
    if not broken:
        return []
    names = ", ".join(run.run_id for run in broken[:5]) + (", ..." if len(broken) > 5 else "")
    return [
        f"{counted_are(len(broken), 'run')} not on this board, their files are damaged ({names}): the sweep's command "
        "does them again."
    ]


def wear(directory: Path, records: list[RunRecord]) -> list[str]:
    """A warning when other sweeps beside this one have looked at the same test set with other candidates.

    The same candidates once more ask nothing new.
    """
    own = {record.candidate for record in records if record.finished and isinstance(record.spec, RunSpec)}
    seen, sweeps = set(own), min(len(own), 1)
    for path in sorted(directory.parent.glob("*/leaderboard.csv")):
        if path.parent == directory:
            continue
        table = pd.read_csv(path, usecols=lambda name: name in ("fingerprint", "rank", "candidate"))
        if {"fingerprint", "rank", "candidate"} <= set(table.columns):
            same = table[(table["fingerprint"] == records[0].fingerprint) & table["rank"].notna()]
            sweeps += len(same) > 0
            seen |= set(same["candidate"])
    if sweeps < 2 or seen == own:
        return []
    return [
        f"{sweeps} sweeps side by side in {directory.parent.name}/ {WEAR} {len(seen)} candidates: the more "
        "often it is asked, the luckier its best answer; settle the choice on pictures that no sweep has seen."
    ]
