"""Sending: MLflow gets from the records on disk what it has missed."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import NamedTuple

from mlflow.entities import Run

from benchmark import store
from benchmark.spec import RunSpec
from benchmark.tracking.ledger import Ledger

WAITING = ("pending", "running")
"""The states of runs that have not ended."""


Judge = Callable[[Run, store.Stored], bool]
"""Says something about a run in MLflow beside the record of its run id."""


class Sent(NamedTuple):
    """What a store got."""

    sent: list[str]
    """Ids of the runs that were missing or not whole."""
    present: int
    """Runs that were there already."""
    removed: int
    """Runs of the store that stood for the same run ids."""


def reconcile(
    ledger: Ledger, parent: str, is_open: Judge, is_whole: Judge, expected: Container[str] = frozenset()
) -> Sent:
    """Send every ended run of which the store has no whole one; one that is open elsewhere is left alone.

    Args:
        expected: ids of runs that are left alone, too, as some of their files are still to come.
    """
    known, sent, present, removed = ledger.runs(), list[str](), 0, 0
    for stored in ended(ledger.directory):
        if stored.record.run_id in expected:
            continue
        runs = known.get(stored.record.run_id, [])
        whole = next((run for run in runs if is_whole(run, stored)), None)
        if whole is None and any(is_open(run, stored) for run in runs):
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


def data_set(directory: Path) -> str:
    """The name of the data set that the sweep in this folder is about, which is its experiment's."""
    spec = store.survey(directory).records[0].spec
    return spec.dataset.name if isinstance(spec, RunSpec) else spec.dataset


def ended(directory: Path) -> Sequence[store.Stored]:
    """The whole records of runs that have ended."""
    survey = store.survey(directory)
    run_ids = [record.run_id for record in survey.records if record.status not in WAITING]
    return [store.load_stored(store.run_directory(directory, run_id)) for run_id in run_ids]
