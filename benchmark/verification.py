"""Verification: whether what a sweep's folder and MLflow hold is what its records say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark import publish, store
from benchmark.board.table import Leaderboard
from benchmark.records import RunRecord
from datasets.errors import DataContractBroken
from datasets.manifest import Manifest

TABLES = ("leaderboard.csv", "leaderboard.md", "costs.csv", "runs.csv")
"""Files that follow from the records."""


class Verified(NamedTuple):
    """What was compared and what does not agree."""

    board: Leaderboard
    """As the records give it."""
    runs: int
    """Records that were read."""
    differences: list[str]
    """One sentence each."""


def verify_files(directory: Path) -> Verified:
    """Compare the records with their checksums, and tables and manifests in the folder with the records.

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
    differences += _manifests(directory, survey.records)
    differences += [found for name in TABLES if (found := _table(directory / name, drawn.texts[name]))]
    return Verified(drawn.board, len(survey.records) + len(survey.broken), differences)


def _table(path: Path, expected: str) -> str:
    """What is wrong with a table; empty when it is what the records give."""
    remedy = f"`bench rebuild {path.parent}` writes it again"
    if not path.is_file():
        return f"{path} is missing: {remedy}"
    found, meant = (_lines(text) for text in (path.read_bytes().decode("utf-8", errors="replace"), expected))
    if found == meant:
        return ""
    pairs = itertools.zip_longest(found, meant)
    line = next(number for number, (one, other) in enumerate(pairs, start=1) if one != other)
    return f"{path} differs from what the records give, first in line {line}: {remedy}"


def _lines(text: str) -> list[str]:
    """The lines without the one that follows from other sweeps, which come and go."""
    return [line for line in text.split("\n") if publish.WEAR not in line]


def _manifests(directory: Path, records: Sequence[RunRecord]) -> Iterator[str]:
    """What is wrong with the manifests; every record has the fingerprint of the whole one, or of the first fold's."""
    paths = sorted(directory.glob("manifest*.csv"))
    if not paths:
        yield f"{directory / 'manifest.csv'} is missing: the sweep's command writes it again"
    for path in paths:
        try:
            fingerprint = Manifest.read_csv(path).fingerprint
        except (OSError, KeyError, ValueError, DataContractBroken) as error:
            yield f"{path} is missing something, edited or damaged: {error}"
            continue
        others = sum(record.fingerprint != fingerprint for record in records)
        if others and path.name in ("manifest.csv", "manifest-fold0.csv"):
            yield f"{path} has other pictures, labels or splits than {others} of {len(records)} records were made from"
