"""Sending: MLflow gets from the records on disk what it has missed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mlflow.entities import Run

from benchmark import environment, store
from benchmark.board.table import Leaderboard
from benchmark.spec import RunSpec
from benchmark.tracking import candidates
from benchmark.tracking.ledger import Ledger
from benchmark.tracking.opening import default_uri, open_experiment, whole_or_absent

WAITING = ("pending", "running")
"""The states of runs that have not ended."""


class Sent(NamedTuple):
    """What a store got."""

    sent: list[str]
    """Ids of the runs that were missing or not whole."""
    present: int
    """Runs that were there already."""
    removed: int
    """Runs of the store that stood for the same run ids."""


def reconcile(ledger: Ledger, parent: str, is_open: Callable[[Run], bool]) -> Sent:
    """Send every ended run that the store lacks or holds otherwise; one that is open elsewhere is left alone."""
    known, sent, present, removed = ledger.runs(), list[str](), 0, 0
    for stored in ended(ledger.directory):
        runs = known.get(stored.record.run_id, [])
        whole = next((run for run in runs if ledger.is_whole(run, stored)), None)
        if whole is None and any(is_open(run) for run in runs):
            continue
        if whole is None:
            ledger.send(stored, parent, ledger.manifest(stored.record))
            sent.append(stored.record.run_id)
        else:
            present += 1
        others = [run for run in runs if run is not whole]
        ledger.remove(others)
        removed += len(others)
    return Sent(sent, present, removed)


def push(uri: str | None, directory: Path, board: Leaderboard) -> Sent:
    """Send what the store at `uri` lacks of the sweep in this folder; None = the database in the results folder.

    Raises:
        TrackingUnavailable: the store cannot be used.
    """
    ledger = open_ledger(uri, directory)
    directory = ledger.directory
    with whole_or_absent(uri or default_uri(directory.parent), directory.parent):
        parent = ledger.open_parent(board.primary)
        sent = reconcile(ledger, parent, open_here)
        candidates.write(ledger, parent, board)
        records = store.survey(directory).records
        status = "FINISHED" if all(record.finished for record in records) else "FAILED"
        ledger.close_parent(parent, status)
    return sent


def open_ledger(uri: str | None, directory: Path) -> Ledger:
    """The ledger of a sweep that has records; made in the store when it is not there.

    Raises:
        TrackingUnavailable: the store cannot be opened.
    """
    results = directory.absolute().parent
    return Ledger(open_experiment(uri or default_uri(results), results, data_set(directory)), directory.absolute())


def data_set(directory: Path) -> str:
    """The name of the data set that the sweep in this folder is about, which is its experiment's."""
    spec = store.survey(directory).records[0].spec
    return spec.dataset.name if isinstance(spec, RunSpec) else spec.dataset


def open_here(run: Run) -> bool:
    """Whether a living process of this host is at the run."""
    host = environment.process_identity()["host"]
    return run.info.status == "RUNNING" and run.data.tags.get("host") == host and environment.is_alive(run.data.tags)


def ended(directory: Path) -> Sequence[store.Stored]:
    """The whole records of runs that have ended."""
    survey = store.survey(directory)
    run_ids = [record.run_id for record in survey.records if record.status not in WAITING]
    return [store.load_stored(store.run_directory(directory, run_id)) for run_id in run_ids]
