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
from benchmark.records import RunRecord
from benchmark.tracking import artifacts, candidates, facts
from benchmark.tracking.ledger import Ledger
from benchmark.tracking.opening import default_uri, find_experiment, whole_or_absent
from benchmark.tracking.sending import data_set, ended

TABLES = ("leaderboard.csv", "costs.csv", "runs.csv")
"""Files of the sweep's run that follow from the records alone."""


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
        return [*_runs(ledger), *_candidates(ledger, board), *_sweep(ledger)]


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
            yield f"{run_id} is in MLflow, but not in {ledger.directory} (not wanted any more? delete it there, too)"


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
    yield from _metrics(ledger.client, run, record, folder / "history.csv")
    checksums = stored.files | {"record.json": store.file_checksum(folder / "record.json")}
    yield from artifacts.differences(ledger.client, run, checksums)


def _candidates(ledger: Ledger, board: Leaderboard) -> Iterator[str]:
    known = ledger.candidates()
    for row in candidates.rows(board):
        runs = known.pop(row.candidate, [])
        if not runs:
            yield f"candidate {row.candidate} is not in MLflow (`bench mlflow push` sends it)"
        elif len(runs) > 1:
            yield f"candidate {row.candidate} is in MLflow {len(runs)} times"
        elif differences := candidates.differences(runs[0], row):
            yield f"candidate {row.candidate} is otherwise in MLflow than on the board: {'; '.join(differences[:5])}"
    for name in sorted(known):
        yield f"candidate {name} is in MLflow, but not on the board"


def _sweep(ledger: Ledger) -> Iterator[str]:
    """What the sweep's own run says otherwise than the files of its folder."""
    names = [name for name in TABLES if (ledger.directory / name).is_file()]
    names += sorted(path.name for path in ledger.directory.glob("manifest*") if path.suffix in (".csv", ".json"))
    run = ledger.parent()
    if run is None:
        yield f"the sweep {ledger.directory.name} has no run in MLflow"
    else:
        expected = {name: store.file_checksum(ledger.directory / name) for name in names}
        yield from (f"the sweep's {difference}" for difference in artifacts.differences(ledger.client, run, expected))


def _metrics(client: MlflowClient, run: Run, record: RunRecord, history: Path) -> Iterator[str]:
    """Differences in the last values, then in epochs; a run without a result may have told epochs before it ended."""
    epochs: dict[str, dict[int, float]] = {}
    if record.finished and history.is_file():
        for metric in facts.history_metrics(pd.read_csv(history), 0):
            epochs.setdefault(metric.key, {})[metric.step] = metric.value
    expected = {key: values[max(values)] for key, values in epochs.items()} | facts.results(record)
    shown = run.data.metrics
    found = shown if record.finished else {key: shown[key] for key in expected.keys() & shown.keys()}
    yield from _values("metric", expected, found)
    for key in sorted(epochs.keys() & found.keys()):
        told = {(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, key)}
        steps = sorted(step for step, _ in told ^ set(epochs[key].items()))
        if steps and expected[key] == found[key]:
            yield f"metric {key} has other epochs in MLflow than in {history.name}, first at {steps[0]}"


def _values(kind: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(expected.keys() | found.keys()):
        if key not in found:
            yield f"{kind} {key} is not in MLflow"
        elif key not in expected:
            yield f"{kind} {key} is {found[key]} in MLflow, but not in the record"
        elif expected[key] != found[key]:
            yield f"{kind} {key} is {found[key]} in MLflow, {expected[key]} in the record"
