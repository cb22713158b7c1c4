"""Pushing: a whole sweep sent to MLflow from its folder, as often as one likes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mlflow.entities import Run

from benchmark import environment, settlement, store
from benchmark.board.table import Leaderboard
from benchmark.report import run as run_report
from benchmark.tracking import candidates
from benchmark.tracking.comparing import run_differences
from benchmark.tracking.ledger import Ledger
from benchmark.tracking.opening import default_uri, open_experiment, whole_or_absent
from benchmark.tracking.sending import Sent, data_set, reconcile


def push(uri: str | None, directory: Path, board: Leaderboard) -> Sent:
    """Send what the store at `uri` lacks of the sweep in this folder; None = the database in the results folder.

    Raises:
        TrackingUnavailable: the store cannot be used.
    """
    ledger = _open_ledger(uri, directory)
    directory = ledger.directory
    with whole_or_absent(uri or default_uri(directory.parent), directory.parent):
        parent = ledger.open_parent(board.primary)
        sent = reconcile(ledger, parent, partial(_is_open, ledger), partial(_is_whole, ledger))
        candidates.write(ledger, parent, board)
        records = store.survey(directory).records
        status = "FINISHED" if all(record.finished for record in records) else "FAILED"
        ledger.close_parent(parent, status)
        settlement.note_settled(directory)
    return sent


def _open_ledger(uri: str | None, directory: Path) -> Ledger:
    """The ledger of a sweep that has records; made in the store when it is not there.

    Raises:
        TrackingUnavailable: the store cannot be opened.
    """
    results = directory.absolute().parent
    return Ledger(open_experiment(uri or default_uri(results), results, data_set(directory)), directory.absolute())


def _is_whole(ledger: Ledger, run: Run, stored: store.Stored) -> bool:
    """Whether MLflow holds everything of the run, and its page if it has one, which may be drawn later."""
    if run_report.has_page(ledger.directory, stored.record) and not ledger.has_file(run, run_report.PAGE):
        return False
    return not any(run_differences(ledger, run, stored))


def _is_open(ledger: Ledger, run: Run, stored: store.Stored) -> bool:
    """Whether another living process is at the run."""
    identity = environment.process_identity()
    is_another = any(run.data.tags.get(key) != value for key, value in identity.items())
    return run.info.status == "RUNNING" and is_another and ledger.is_alive(run)
