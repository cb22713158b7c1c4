"""Execution: bundles of runs handed to workers, whatever happens to them; every run ends with a true record."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock

from benchmark import claims, environment, publish, store
from benchmark.bundles import Bundle
from benchmark.crew import Crew, Event
from benchmark.illustration import Illustrator
from benchmark.jobs import Assignment, Order
from benchmark.planning import Plan, Planned, is_wanted
from benchmark.records import Failure, RunRecord, Status
from benchmark.retries import Retries, SameFailure
from benchmark.terminal import Terminal
from benchmark.untracked import NoTracker

if TYPE_CHECKING:
    from benchmark.tracking import SweepTracker

SECONDS_BETWEEN_LOOKS = 1.0
BOARD_SHARE = 20
"""A board is rewritten while runs go on when so many times its last making has passed: it costs at most a twentieth."""
SHORTEST_BOARD_PAUSE = 10.0


class Surroundings(NamedTuple):
    """Where a sweep happens and who is told."""

    directory: Path
    crew: Crew
    terminal: Terminal
    illustrator: Illustrator


class Execution:
    """The runs of one plan on their way to a result."""

    def __init__(self, plan: Plan, around: Surroundings) -> None:
        """Nothing has begun."""
        self._plan = plan
        self._around = around
        self._waiting: deque[Bundle] = deque(plan.bundles)
        self._locks: dict[str, FileLock] = {}
        self._tracker: SweepTracker | NoTracker
        self._unannounced: list[tuple[Planned, RunRecord]] = []
        """Runs that workers have got and nobody was told of."""
        self._retries = Retries(plan.bundles)
        # The first run that was asked for keeps the heat maps of its candidate.
        first = {one.record.candidate: one.record.run_id for one in reversed(plan.asked.values())}
        self._exhibited = set(first.values())
        self._activations = {one.runs[0].run_id: one.activations for one in plan.bundles}
        self._same = SameFailure()
        self._board_took, self._board_made = 0.0, time.monotonic()
        self.stopped = ""
        """Why the rest was not begun; empty when everything was."""

    def begin(self) -> None:
        """Give every idle worker something to do."""
        for place in self._around.crew.idle:
            while self._waiting:
                bundle = self._pick(place)
                runs = tuple(run for run in self._runs(bundle) if self._lock(run))
                if runs:
                    self._start(runs, place, bundle.network)
                    break

    def finish(self, tracker: SweepTracker | NoTracker, beside: Callable[[], None] = lambda: None) -> None:
        """Carry everything out; `beside` is done here while the first workers are at work."""
        self._tracker = tracker
        self.begin()
        self._announce()
        beside()
        while self._around.crew.busy or self._waiting:
            for event in self._around.crew.wait(SECONDS_BETWEEN_LOOKS):
                self._hear(event)
            self.begin()  # machines of a cluster come when they please
            self._announce()
            self._file(wait=False)
            self._keep_board()
        self._file(wait=True)

    def _pick(self, place: int) -> Bundle:
        """The next bundle for this worker: a network it has warm, and no activations that others compute now."""
        busy = {self._activations.get(order.runs[0].planned.run_id) for order in self._around.crew.busy} - {None}
        free = [bundle for bundle in self._waiting if bundle.activations not in busy] or list(self._waiting)
        warm = [bundle for bundle in free if bundle.network == self._around.crew.network(place)]
        chosen = (warm or free)[0]
        self._waiting.remove(chosen)
        return chosen

    def _runs(self, bundle: Bundle) -> list[Planned]:
        return [self._plan.asked[run.run_id] for run in bundle.runs]

    def _lock(self, run: Planned) -> bool:
        """Whether the run is ours now; another process that is at it keeps it."""
        if run.record.run_id in self._locks:
            return True
        lock = claims.claim(self._around.directory, run.record.run_id)
        if lock is None:
            self._around.terminal.say(f"{run.record.run_id} is being run by another process")
            return False
        if self._is_done_elsewhere(run):
            lock.release()
            return False
        self._locks[run.record.run_id] = lock
        return True

    def _is_done_elsewhere(self, run: Planned) -> bool:
        """Whether another process has finished the run since this sweep was planned."""
        with contextlib.suppress(store.BrokenRecord):
            found = store.load_record(store.run_directory(self._around.directory, run.record.run_id))
            return found.finished and not is_wanted(run, found)
        return False

    def _start(self, runs: tuple[Planned, ...], place: int, network: str) -> None:
        """Hand the runs over."""
        directory, crew = self._around.directory, self._around.crew
        around = {**crew.environment(place), "threads": runs[0].job.machine.threads}
        begun = {"status": "running", "started": environment.now(), "environment": around}
        started = [run.record.model_copy(update=begun) for run in runs]
        for run, record in zip(runs, started, strict=True):
            store.write_config(directory, record.run_id, run.job.spec)
            store.write_record(directory, record)
        assignments = tuple(
            Assignment(
                job=run.job.without_credentials(),
                planned=record,
                batch_size=self._retries.batch_size(record.run_id, run.job.spec.training.batch_size),
                exhibited=run.record.run_id in self._exhibited,
            )
            for run, record in zip(runs, started, strict=True)
        )
        crew.give(Order(runs=assignments, manifest=runs[0].data.path), place, network)
        self._unannounced += zip(runs, started, strict=True)

    def _announce(self) -> None:
        """Tell those who watch what has begun; what has ended meanwhile comes to MLflow as a whole when it is filed."""
        for run, record in self._unannounced:
            self._around.terminal.say_start(record, run.job.spec.training.epochs)
            if store.load_record(store.run_directory(self._around.directory, record.run_id)).status == "running":
                self._tracker.start(record, run.data.manifest)
        self._unannounced.clear()

    def _hear(self, event: Event) -> None:
        """Pass an epoch on, or see an order to its end; the idle worker gets its next order before anything else."""
        if event.pictures is not None:
            self._around.terminal.say_pictures(event.pictures)
            return
        if event.epoch is not None:
            row = {key: value for key, value in event.epoch.items() if key != "run_id"}
            self._tracker.epoch(event.epoch["run_id"], row)
            self._around.terminal.say_epoch(event.epoch["run_id"], row)
            return
        records = [self._record(assignment) for assignment in event.order.runs]
        if event.death is not None:
            unfinished = [record.run_id for record in records if record.status == "running"]
            verdict = self._retries.judge(unfinished, event.death, len(event.order.runs))
            if verdict.note:
                self._around.terminal.say(f"note: {verdict.note}")
            self._waiting.extendleft(reversed(verdict.again))
            records = [
                self._end(record, *verdict.ended[record.run_id]) if record.run_id in verdict.ended else record
                for record in records
            ]
        for record in records:
            self._count_failure(record)
        self.begin()
        for record in records:
            if record.status != "running":
                self._conclude(record)

    def _record(self, assignment: Assignment) -> RunRecord:
        return store.load_record(store.run_directory(self._around.directory, assignment.planned.run_id))

    def _end(self, record: RunRecord, status: Status, failure: Failure) -> RunRecord:
        """The record of a run that ended without its worker's word, written."""
        ended = record.model_copy(update={"status": status, "failure": failure})
        store.write_record(self._around.directory, ended)
        return ended

    def _conclude(self, record: RunRecord) -> None:
        """Tell everyone that the run has ended."""
        self._around.terminal.say_run(record)
        self._around.illustrator.draw(record)
        self._locks.pop(record.run_id).release()

    def _file(self, wait: bool) -> None:
        """Send the runs whose pages are drawn to MLflow."""
        for record in self._around.illustrator.drawn(wait):
            self._tracker.finish(record, store.run_directory(self._around.directory, record.run_id))

    def _count_failure(self, record: RunRecord) -> None:
        """Stop beginning runs when too many in a row have failed in one way."""
        if record.status == "running":
            return
        times, failure = self._same.count(record), record.failure
        limit = self._plan.asked[record.run_id].job.sweep.max_consecutive_failures
        if failure and limit is not None and times >= limit and self._waiting:
            left = sum(len(bundle.runs) for bundle in self._waiting)
            self._waiting.clear()
            self.stopped = (
                f"{limit} runs in a row failed alike ({failure.kind}: {failure.message}); the {left} left were not "
                "begun: mend the cause and give the same command again, or raise sweep.max_consecutive_failures"
            )

    def withdraw(self) -> None:
        """End the workers; what they have not finished has never begun."""
        self._around.crew.stop()
        for run_id, lock in self._locks.items():
            # On a disk that is full or gone it stays marked as running, and nobody is at it.
            with contextlib.suppress(OSError, store.BrokenRecord):
                if store.load_record(store.run_directory(self._around.directory, run_id)).status == "running":
                    store.write_record(self._around.directory, self._plan.asked[run_id].record)
            lock.release()
        self._locks.clear()

    def interrupt(self) -> None:
        """End the workers and mark what was under way."""
        self._around.crew.stop()
        message = "the same command again runs it"
        for run_id in list(self._locks):
            record = store.load_record(store.run_directory(self._around.directory, run_id))
            if record.status == "running":
                record = self._end(record, "interrupted", Failure(kind="KeyboardInterrupt", message=message))
            self._conclude(record)
        self._file(wait=True)

    def _keep_board(self) -> None:
        """Rewrite the board now and then, so that it can be read while the sweep goes on."""
        pause = max(SHORTEST_BOARD_PAUSE, BOARD_SHARE * self._board_took)
        if time.monotonic() - self._board_made > pause:
            begun = time.monotonic()
            self._around.terminal.say_best(publish.board(self._around.directory).board)
            self._board_took, self._board_made = time.monotonic() - begun, time.monotonic()
