"""Illustration: the pages of finished runs, drawn by a process beside the sweep while the next runs train."""

from __future__ import annotations

import multiprocessing
import os
import shlex
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

from filelock import FileLock

from benchmark import environment
from benchmark.records import RunRecord
from benchmark.report import run as run_report

MOST_PAGES = 300
"""Finished runs of one call that get pages at once; those of larger sweeps are left to `bench report`."""
NICENESS = 10
"""Training goes first."""


class Illustrator:
    """Draws the pages of runs, one at a time, without holding up the sweep."""

    def __init__(self, directory: Path, format: str | None, measuring: Path) -> None:
        """`format` of the figures: svg, png or pdf; None = nothing is drawn.

        No page is begun while the file `measuring` is locked.
        """
        self._measuring = measuring
        self._directory = directory
        self._format = format
        self._pool: ProcessPoolExecutor | None = None
        self._drawn: list[RunRecord] = []
        self._at_work: dict[Future[list[Path]], RunRecord] = {}
        self._asked = 0
        self._left = 0
        self.trouble = ""
        """Why some page could not be drawn."""

    def draw(self, record: RunRecord) -> None:
        """Have the run's page drawn, if it has a result; `drawn` gives the record back afterwards."""
        if self._format is None or not record.finished or self._asked >= MOST_PAGES:
            self._left += self._format is not None and record.finished
            self._drawn.append(record)
            return
        self._asked += 1
        if self._pool is None:
            # A process of joblib's hands its children a start method that only joblib knows.
            if multiprocessing.get_start_method(allow_none=True) not in (
                None,
                *multiprocessing.get_all_start_methods(),
            ):
                multiprocessing.set_start_method("spawn", force=True)
            # Forked, it would inherit the locks and connections of this process.
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                max_workers=1, mp_context=spawn, initializer=_stand_back, initargs=(os.getpid(),)
            )
        self._at_work[self._pool.submit(_draw, self._measuring, self._directory, record, self._format)] = record

    def drawn(self, wait: bool) -> list[RunRecord]:
        """The records that have been handed in and are done with since the last call; with `wait` all that are left."""
        for future in list(self._at_work):
            if wait or future.done():
                record = self._at_work.pop(future)
                error = future.exception()
                self.trouble = self.trouble or (f"{type(error).__name__}: {error}" if error else "")
                self._drawn.append(record)
        found, self._drawn = self._drawn, []
        return found

    @property
    def undrawn(self) -> str:
        """How many finished runs were more than get pages at once, and what draws theirs; empty when there is none."""
        if not self._left:
            return ""
        folder = shlex.quote(str(self._directory))
        return (
            f"note: runs without a page: {self._left}; `bench report {folder}` draws them, and `bench mlflow push "
            f"{folder}` sends them to MLflow"
        )

    def close(self) -> None:
        """End the process; what it has not begun stays undrawn."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def _draw(measuring: Path, directory: Path, record: RunRecord, format: str) -> list[Path]:
    """Write the page of a run, when no latency is being measured."""
    if measuring.exists():
        with FileLock(measuring):
            pass
    return run_report.write(directory, record, format)


def _stand_back(parent: int) -> None:
    """Let the parent decide what Ctrl-C means, and training have the cores; end when the parent has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    environment.end_with(parent)
