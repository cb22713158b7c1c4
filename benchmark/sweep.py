"""The sweep: plan every run, skip what is finished, hand the rest to a worker, keep the board true after each."""

from __future__ import annotations

import datetime
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock, Timeout

from benchmark import baselines, environment, publish, store
from benchmark.board import leaderboard
from benchmark.board.table import Leaderboard
from benchmark.crew import Crew, WorkerDied
from benchmark.errors import DONE, INTERRUPTED, RUNS_FAILED
from benchmark.jobs import Assignment, Job, Order
from benchmark.records import Failure, RunRecord
from benchmark.terminal import Terminal
from datasets.limit import keep_within
from datasets.manifest import Manifest
from datasets.pixels import pixels
from datasets.prepare import prepare

if TYPE_CHECKING:
    from benchmark.tracking import NoTracker, SweepTracker


class NotTheSameSweep(ValueError):
    """The folder holds results that cannot stand on one board with the planned ones."""

    exit_code = 5


class Prepared(NamedTuple):
    """A manifest and its file in the sweep's folder, which workers read."""

    manifest: Manifest
    path: Path
    fingerprint: str
    """Of the pictures, labels and split; the first fold's stands for all folds, which are one partition."""


class Planned(NamedTuple):
    """A run that shall be done: its job, its record so far and its pictures."""

    job: Job
    record: RunRecord
    data: Prepared


class Plan(NamedTuple):
    """The runs that were asked for, and those of them that are still to be done."""

    asked: list[Planned]
    todo: list[Planned]
    again: int
    """How many of `todo` were tried before."""


def run(jobs: Sequence[Job], show: Callable[[Leaderboard], None]) -> int:
    """Run the jobs, a board for each sweep's name, show each board and return the exit code.

    Raises:
        CannotRank: `sweep.primary` is no metric that candidates can be compared by.
    """
    for job in jobs:
        leaderboard.require_rankable(job.sweep.primary)
    code = DONE
    with _terminable():
        for directory in dict.fromkeys(job.directory for job in jobs):
            code = max(code, _run_sweep(directory, [job for job in jobs if job.directory == directory], show))
    return code


def _run_sweep(directory: Path, jobs: list[Job], show: Callable[[Leaderboard], None]) -> int:
    """Run the jobs of one sweep in its folder and say how it went."""
    terminal = Terminal(directory)
    directory.mkdir(parents=True, exist_ok=True)
    plan = _plan(directory, _prepare_all(jobs, terminal))
    terminal.say_plan(len(plan.asked), len(plan.todo), plan.again)
    for planned in plan.todo:
        store.write_record(directory, planned.record)
    interrupted = False
    with Crew(directory / "worker.log") as workers:
        if plan.todo:
            workers.ready_for(plan.todo[0].job)  # Keras loads there while MLflow loads here
        tracker = _open_tracker(jobs[0])
        try:
            for planned in {one.data.path: one for one in plan.asked}.values():
                _run_baselines(planned, tracker)
            for planned in plan.todo:
                _run_one(planned, workers, tracker, terminal)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            unfinished = _unfinished(directory, plan)
            published = publish.board(directory)
            status = "KILLED" if interrupted else "FAILED" if unfinished else "FINISHED"
            tracker.close(published.files, status)
    show(published.board)
    removed = keep_within(jobs[0].paths.cache, int(jobs[0].machine.cache_limit_gb * 1e9))
    if removed.entries:
        terminal.say(
            f"note: {removed.entries} entries, {removed.bytes / 1e9:.2f} GB, left the cache: machine.cache_limit_gb"
        )
    terminal.say_end(tracker.uri, unfinished)
    return INTERRUPTED if interrupted else RUNS_FAILED if unfinished else DONE


def _prepare_all(jobs: list[Job], terminal: Terminal) -> list[Planned]:
    """Every job with its manifest and pixel cache; pictures are scanned, split and decoded once for all of them."""
    manifests: dict[str, Prepared] = {}
    decoded: set[tuple[str, int, str]] = set()
    alike: set[str] = set()
    planned = []
    for job in jobs:
        dataset, cache, machine = job.spec.dataset, job.paths.cache, job.machine
        key = dataset.model_dump_json(exclude={"image_size", "resize"})
        if key not in manifests:
            with terminal.progress("looking at the pictures") as progress:
                manifest = prepare(dataset, job.location, cache, machine.workers, progress)
            terminal.say_data(manifest)
            manifests[key] = _prepared(job, manifest)
        data = manifests[key]
        if job.spec.weighting.rule != "none" and job.spec.weighting.focal_gamma == 0:
            alike |= {job.spec.weighting.name} if data.manifest.counts["train"].nunique() == 1 else set()
        planned.append(Planned(job, _pending(job, data), data))
        recipe = (key, dataset.image_size, dataset.resize)
        if recipe not in decoded:
            decoded.add(recipe)
            with terminal.progress(f"decoding at {dataset.image_size} px") as progress:
                found = pixels(data.manifest, dataset.image_size, dataset.resize, cache, machine.workers, progress)
            for note in found.notes:
                terminal.say(f"note: {note}")
    if alike:
        names = ", ".join(sorted(alike))
        terminal.say(f"note: all classes have equally many training pictures: weighting {names} changes nothing here")
    return planned


def _prepared(job: Job, manifest: Manifest) -> Prepared:
    """The manifest with its place in the sweep's folder."""
    dataset = job.spec.dataset
    if dataset.split != "kfold":
        return Prepared(manifest, job.directory / "manifest.csv", manifest.fingerprint)
    first = dataset.model_copy(update={"fold": 0})
    whole = prepare(first, job.location, job.paths.cache, job.machine.workers, None) if dataset.fold else manifest
    return Prepared(manifest, job.directory / f"manifest-fold{dataset.fold}.csv", whole.fingerprint)


def _plan(directory: Path, planned: list[Planned]) -> Plan:
    """What is still to be done.

    Raises:
        NotTheSameSweep: the folder holds runs on other pictures, another split or another primary metric.
    """
    asked = list({one.record.run_id: one for one in planned}.values())
    known = {record.run_id: record for record in store.load_records(directory)}
    first = asked[0].record
    for record in [*known.values(), *(one.record for one in asked)]:
        if record.fingerprint != first.fingerprint:
            raise NotTheSameSweep(
                f"found runs on other pictures or another split in {directory} ({record.fingerprint[:12]}, now "
                f"{first.fingerprint[:12]}); expected one data set on one board: choose another sweep.name, or move "
                "that folder away"
            )
        if record.primary != first.primary:
            raise NotTheSameSweep(
                f"found sweep.primary={record.primary} in {directory}, now {first.primary}; expected one metric, named "
                f"before the sweep: keep sweep.primary={record.primary} or choose another sweep.name"
            )
    for one in asked:
        if not one.data.path.exists():
            one.data.manifest.to_csv(one.data.path)
    todo = [one for one in asked if not (one.record.run_id in known and known[one.record.run_id].finished)]
    tried = [one for one in todo if one.record.run_id in known and known[one.record.run_id].status != "pending"]
    return Plan(asked, todo, len(tried))


def _pending(job: Job, data: Prepared) -> RunRecord:
    """The record of a run that has not begun."""
    return RunRecord(
        run_id=job.spec.run_id(data.fingerprint),
        candidate=job.spec.candidate(data.fingerprint),
        sweep=job.sweep.name,
        spec=job.spec,
        fingerprint=data.fingerprint,
        classes=data.manifest.classes,
        status="pending",
        primary=job.sweep.primary,
        notes=data.manifest.notes,
        command=shlex.join(["python", "-m", "benchmark", *job.overrides]),
    )


def _run_one(planned: Planned, workers: Crew, tracker: SweepTracker | NoTracker, terminal: Terminal) -> None:
    """Do one run, whatever happens to it; another process that is at it already keeps it."""
    job, directory = planned.job, planned.job.directory
    folder = store.run_directory(directory, planned.record.run_id)
    locks = directory / ".locks"
    locks.mkdir(exist_ok=True)
    try:
        with FileLock(locks / planned.record.run_id, timeout=0):
            started = planned.record.model_copy(update={"status": "running", "started": _now()})
            store.write_config(directory, started.run_id, job.spec)
            store.write_record(directory, started)
            tracker.start(started, planned.data.manifest)
            terminal.say_start(started)
            order = Order(runs=(Assignment(job=job, planned=started),), manifest=planned.data.path)
            record = _outcome(order, workers, tracker)
            tracker.finish(record, folder)
    except Timeout:
        terminal.say(f"{planned.record.run_id} is being run by another process")
        return
    terminal.say_run(record)
    if record.status == "interrupted":
        raise KeyboardInterrupt
    publish.board(directory)


def _outcome(order: Order, workers: Crew, tracker: SweepTracker | NoTracker) -> RunRecord:
    """The record of the ordered run: the worker's own, or one that says how the worker ended."""
    job, started = order.runs[0].job, order.runs[0].planned
    try:
        workers.run(order, tracker.epoch)
        return store.load_record(store.run_directory(job.directory, started.run_id))
    except WorkerDied as death:
        ending: dict[str, Any] = {"status": "crashed", "failure": Failure(kind=death.kind, message=str(death))}
    except KeyboardInterrupt:
        workers.stop()
        message = "interrupted; the same command again runs it"
        ending = {"status": "interrupted", "failure": Failure(kind="KeyboardInterrupt", message=message)}
    record = started.model_copy(update={**ending, "environment": environment.describe()})
    store.write_record(job.directory, record)
    return record


def _run_baselines(planned: Planned, tracker: SweepTracker | NoTracker) -> None:
    """The reference rows, computed once a split: a candidate that does not beat them has learnt nothing."""
    job, manifest = planned.job, planned.data.manifest
    for record in baselines.planned(planned.record, job.spec.dataset):
        folder = store.run_directory(job.directory, record.run_id)
        if (folder / "record.json").exists() and store.load_record(folder).finished:
            continue
        tracker.start(record, manifest)
        small = pixels(manifest, baselines.SIZE, "squish", job.paths.cache, job.machine.workers, None)
        finished, predictions = baselines.run(record, manifest, small.array)
        store.write_predictions(job.directory, record.run_id, "test", predictions.test)
        store.write_predictions(job.directory, record.run_id, "val", predictions.val)
        store.write_record(job.directory, finished)
        tracker.finish(finished, folder)


def _unfinished(directory: Path, plan: Plan) -> list[RunRecord]:
    """The asked runs that have no result."""
    asked = {one.record.run_id for one in plan.asked}
    return [record for record in store.load_records(directory) if record.run_id in asked and not record.finished]


def _open_tracker(job: Job) -> SweepTracker | NoTracker:
    """MLflow, or nothing."""
    from benchmark import tracking  # noqa: PLC0415 - MLflow takes seconds to load; mistakes are said before

    if not job.tracking.enabled:
        return tracking.NoTracker()
    return tracking.SweepTracker(job.tracking.uri, job.paths.results, job.spec.dataset.name, job.sweep.name)


def _now() -> str:
    """The time, UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the sweep as Ctrl-C does: what is written stays true."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
