"""The tracker: what the sweep tells MLflow while it works, without ever being stopped by it."""

from __future__ import annotations

import contextlib
import functools
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from mlflow.entities import Metric, Run

from benchmark import environment, settlement, store
from benchmark.board.table import Leaderboard
from benchmark.credentials import without_credentials
from benchmark.records import RunRecord
from benchmark.tracking import candidates, facts, sending, signs
from benchmark.tracking.ledger import Ledger
from benchmark.tracking.opening import TROUBLE, default_uri, first_line, open_experiment, whole_or_absent
from datasets.manifest import Manifest

SECONDS_BETWEEN_BATCHES = 2.0
SECONDS_OF_REST = 20.0
"""How long a store that failed is left alone before it is asked again."""

Arguments = ParamSpec("Arguments")


@dataclass
class OpenRun:
    """A run that has begun in MLflow."""

    mlflow_id: str
    sent: float
    """When its epochs were sent last, on the monotonic clock."""
    waiting: list[Metric] = field(default_factory=list)
    epoch: int = 0
    began_again: bool = False
    """Whether epochs came a second time, so that MLflow holds some that the run's history does not have."""


def _never_stops_the_sweep(
    method: Callable[Concatenate[SweepTracker, Arguments], None],
) -> Callable[Concatenate[SweepTracker, Arguments], None]:
    """The method; while the store does not answer it is left alone, and what it misses is sent when it is back."""

    @functools.wraps(method)
    def guarded(tracker: SweepTracker, /, *values: Arguments.args, **named: Arguments.kwargs) -> None:
        if tracker.is_resting():
            return
        try:
            method(tracker, *values, **named)
        except TROUBLE as error:
            tracker.lose(first_line(error))

    return guarded


class SweepTracker:
    """One sweep in MLflow: a run for the sweep in the data set's experiment, below it candidates and their seeds."""

    def __init__(self, uri: str | None, results: Path, dataset: str, sweep: str, expected: Iterable[str] = ()) -> None:
        """Open or create the store, the experiment and the sweep's own run; send what an earlier call could not.

        Args:
            expected: ids of runs for which `finish` will be called, though they may begin and end before `start` is.

        Raises:
            TrackingUnavailable: the store cannot be opened.
        """
        self._uri = uri or default_uri(results)
        self._is_default = uri is None
        self._directory = results / sweep
        self._open: dict[str, OpenRun] = {}
        self._expected = set(expected)
        """Runs whose record may have its end before all of their files are there."""
        self._rests_until = 0.0
        self._behind = False
        self._board: Leaderboard | None = None
        opened = open_experiment(self._uri, results, dataset)
        with whole_or_absent(self._uri, results):
            self._ledger = Ledger(opened, self._directory)
            settlement.note_unsettled(self._directory)
            self._ledger.end_orphans()
            self._parent = self._ledger.open_parent()
            self._catch_up()
            self._known = self._ledger.runs()
        self._ended = threading.Event()
        threading.Thread(target=self._give_signs_of_life, daemon=True).start()

    @property
    def uri(self) -> str:
        """Where the store is, without credentials."""
        return without_credentials(self._uri)

    def is_resting(self) -> bool:
        """Whether the store failed a moment ago."""
        return time.monotonic() < self._rests_until

    def lose(self, reason: str) -> None:
        """Leave the store alone for a while; said once until it is back."""
        if not self._behind:
            print(  # noqa: T201
                f"warning: MLflow does not answer ({reason}); the sweep goes on, every result is kept in "
                f"{self._directory}, and what MLflow misses is sent when it is back",
                file=sys.stderr,
            )
        self._behind = True
        self._rests_until = time.monotonic() + SECONDS_OF_REST

    def start(self, record: RunRecord, manifest: Manifest) -> None:
        """Open the run, in place of an earlier one with its id; several may be open at once."""
        self._expected.add(record.run_id)
        self._start(record, manifest)

    @_never_stops_the_sweep
    def epoch(self, run_id: str, row: Mapping[str, Any]) -> None:
        """One epoch's metrics; they are sent every few seconds, so that the user interface is live."""
        opened = self._open.get(run_id)
        if opened is None:
            return
        opened.began_again |= int(row["epoch"]) <= opened.epoch
        opened.epoch = int(row["epoch"])
        opened.waiting += facts.epoch_metrics(row, int(time.time() * 1000))
        if time.monotonic() - opened.sent > SECONDS_BETWEEN_BATCHES * len(self._open):
            self._ledger.add(opened.mlflow_id, opened.waiting)
            opened.waiting.clear()
            opened.sent = time.monotonic()

    def finish(self, record: RunRecord, directory: Path) -> None:
        """Close the run whose record and files lie in this folder, with its result, files and true status."""
        self._expected.discard(record.run_id)
        opened = self._open.pop(record.run_id, None)
        try:
            stored = store.load_stored(directory)
        except store.BrokenRecord:
            stored = None
        if opened is None or stored is None or opened.began_again or self.is_resting():
            self._behind = True  # what is on disk is sent as a whole
        else:
            self._finish(opened, stored)

    def board(self, board: Leaderboard) -> None:
        """Give every candidate a run of its own with mean, interval and ranks, above those of its seeds."""
        self._board = board
        self._write_board()

    def close(self, status: str) -> None:
        """Close the sweep's own run: FINISHED, FAILED or KILLED, with the boards and the report as artifacts."""
        self._ended.set()
        self._expected.clear()
        self._rests_until = 0.0
        self._close(status)
        if self._behind:
            uri = "" if self._is_default else f" --uri {shlex.quote(self.uri)}"
            print(  # noqa: T201
                f"warning: MLflow has missed some runs; when it answers again, `bench mlflow push "
                f"{shlex.quote(str(self._directory))}{uri}` sends them",
                file=sys.stderr,
            )

    @_never_stops_the_sweep
    def _start(self, record: RunRecord, manifest: Manifest) -> None:
        code = environment.code()
        tags = {"commit": str(code["commit"]), "dirty": str(code["dirty"]).lower()}
        settlement.note_unsettled(self._directory)  # another sweep in this folder may have ended meanwhile
        mlflow_id = self._ledger.begin(record, self._parent, manifest, tags)
        self._open[record.run_id] = OpenRun(mlflow_id, time.monotonic())
        self._ledger.remove(self._known.pop(record.run_id, []))

    @_never_stops_the_sweep
    def _finish(self, opened: OpenRun, stored: store.Stored) -> None:
        if self._behind:
            self._catch_up()  # sends this run with the others
        else:
            self._ledger.end(opened.mlflow_id, stored, opened.waiting, int(time.time() * 1000))

    @_never_stops_the_sweep
    def _write_board(self) -> None:
        if self._board is not None:
            candidates.write(self._ledger, self._parent, self._board)
            self._board = None

    @_never_stops_the_sweep
    def _close(self, status: str) -> None:
        self._catch_up()
        if self._board is not None:
            candidates.write(self._ledger, self._parent, self._board)
            self._board = None
        self._ledger.close_parent(self._parent, status)
        settlement.note_settled(self._directory)

    def _give_signs_of_life(self) -> None:
        """Let other hosts know that this sweep is not dead, however long its epochs take."""
        while not self._ended.wait(signs.SECONDS_BETWEEN):
            with contextlib.suppress(*TROUBLE):
                self._ledger.give_sign_of_life(self._parent)

    def _catch_up(self) -> None:
        """Send what the store has missed."""
        sending.reconcile(self._ledger, self._parent, self._is_open, self._ledger.is_whole, self._expected)
        self._behind = False

    def _is_open(self, run: Run, stored: store.Stored) -> bool:
        """Whether this or another living process is at the run."""
        if run.info.status != "RUNNING" or not self._ledger.is_alive(run):
            return False
        identity = environment.process_identity()
        is_mine = all(run.data.tags.get(key) == value for key, value in identity.items())
        return not is_mine or any(opened.mlflow_id == run.info.run_id for opened in self._open.values())
