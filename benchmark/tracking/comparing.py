"""Comparing: whether MLflow holds what the records and the board of a sweep say; each difference in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from benchmark import store
from benchmark.board.table import Leaderboard
from benchmark.tracking import candidates, facts
from benchmark.tracking.ledger import Ledger
from benchmark.tracking.opening import default_uri, find_experiment, whole_or_absent
from benchmark.tracking.sending import data_set, ended

MODEL = "model/data/model.keras"
"""Where MLflow keeps model.keras."""


def compare(uri: str | None, directory: Path, board: Leaderboard) -> list[str]:
    """Every difference between the store at `uri` (None = the database beside) and the sweep in this folder.

    Raises:
        TrackingUnavailable: the store cannot be used.
    """
    directory = directory.absolute()
    uri = uri or default_uri(directory.parent)
    name = data_set(directory)
    opened = find_experiment(uri, directory.parent, name)
    if opened is None:
        return [f"MLflow has no experiment {name}"]
    with whole_or_absent(uri, directory.parent):
        ledger = Ledger(opened, directory)
        return [*_runs(ledger), *_candidates(ledger, board)]


def _runs(ledger: Ledger) -> Iterator[str]:
    known = ledger.runs()
    for stored in ended(ledger.directory):
        run_id = stored.record.run_id
        runs = known.pop(run_id, [])
        if not runs:
            yield f"{run_id} is not in MLflow"
        elif len(runs) > 1:
            yield f"{run_id} is in MLflow {len(runs)} times"
        else:
            for difference in run_differences(ledger, runs[0], stored):
                yield f"{run_id}: {difference}"
    for run_id in sorted(known):
        if not (store.run_directory(ledger.directory, run_id) / "record.json").exists():
            yield f"{run_id} is in MLflow, but not in {ledger.directory}"


def run_differences(ledger: Ledger, run: Run, stored: store.Stored) -> Iterator[str]:
    """What MLflow's run says otherwise than the record on disk."""
    record = stored.record
    status = facts.STATUSES.get(record.status, "FAILED")
    if run.info.status != status:
        yield f"its status in MLflow is {run.info.status}, that of the record is {record.status} ({status})"
    if run.data.tags.get("record") != stored.checksum:
        yield "MLflow's run was made from another record"
    folder = store.run_directory(ledger.directory, record.run_id)
    yield from _values("parameter", facts.parameters(record), run.data.params)
    yield from _values("metric", _last_metrics(record, folder), run.data.metrics)
    there = _files(ledger.client, run.info.run_id, "")
    for name in sorted({"record.json", *stored.files}):
        path = folder / name
        size = there.get(MODEL if name == "model.keras" else name)
        if path.is_file() and size != path.stat().st_size:
            yield f"{name} is not in MLflow" if size is None else f"{name} has {size} bytes in MLflow, not as on disk"


def _candidates(ledger: Ledger, board: Leaderboard) -> Iterator[str]:
    known = ledger.candidates()
    for row in candidates.rows(board):
        runs = known.pop(row.candidate, [])
        if len(runs) != 1:
            yield f"candidate {row.candidate} is in MLflow {len(runs)} times"
        elif not candidates.is_whole(runs[0], row):
            yield f"candidate {row.candidate} has another place on the board than in MLflow"
    for name in sorted(known):
        yield f"candidate {name} is in MLflow, but not on the board"


def _last_metrics(record: Any, folder: Path) -> dict[str, float]:
    """The latest value of every metric that MLflow should show of the run."""
    history = folder / "history.csv"
    logged = facts.history_metrics(pd.read_csv(history), 0) if record.finished and history.exists() else []
    return {metric.key: metric.value for metric in logged} | facts.results(record)


def _values(kind: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(expected.keys() - found.keys()):
        yield f"{kind} {key} is not in MLflow"
    for key in sorted(expected.keys() & found.keys()):
        if expected[key] != found[key]:
            yield f"{kind} {key} is {found[key]} in MLflow, {expected[key]} in the record"


def _files(client: MlflowClient, run: str, folder: str) -> dict[str, int]:
    """Sizes of the run's artifacts by path; folders are looked into only for the model."""
    found: dict[str, int] = {}
    for file in client.list_artifacts(run, folder or None):
        if not file.is_dir:
            found[file.path] = file.file_size or 0
        elif MODEL.startswith(f"{file.path}/"):
            found |= _files(client, run, file.path)
    return found
