"""The sweep: plan every run, skip what is finished, have the rest carried out, publish what is known."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from benchmark import claims, planning, publish, references, settlement, store, whereabouts
from benchmark.board import leaderboard
from benchmark.board.table import Leaderboard
from benchmark.crew import Crew, LocalCrew
from benchmark.crew.reach import require_cluster
from benchmark.errors import DONE, INTERRUPTED, RUNS_FAILED
from benchmark.jobs import Job
from benchmark.planning import Plan
from benchmark.records import RunRecord
from benchmark.terminal import Terminal
from datasets.limit import keep_within

if TYPE_CHECKING:
    from benchmark.execution import Surroundings
    from benchmark.tracking import NoTracker, SweepTracker


Show = Callable[[Leaderboard], None]


def run(jobs: Sequence[Job], show: Show) -> int:
    """Run the jobs, a board for each sweep's name, show each board and return the exit code.

    Raises:
        CannotRank: `sweep.primary` is no metric that candidates can be compared by.
    """
    for job in jobs:
        leaderboard.require_rankable(job.sweep.primary)
    code = DONE
    with terminable():
        for directory, some in by_sweep(jobs).items():
            terminal = Terminal(directory, some[0].screen)
            plan = lay_out(directory, some, terminal)
            if plan is not None:
                code = max(code, tell(directory, plan, _carry_out_what_is_left(directory, plan, terminal), show))
    return code


def by_sweep(jobs: Sequence[Job]) -> dict[Path, list[Job]]:
    """The jobs by the folder in which they are collected."""
    folders = dict.fromkeys(job.directory for job in jobs)
    return {folder: [job for job in jobs if job.directory == folder] for folder in folders}


def lay_out(directory: Path, jobs: Sequence[Job], terminal: Terminal) -> Plan | None:
    """Plan the jobs of one sweep, say the plan and write down what has not begun; None where it was only to be said."""
    job = jobs[0]
    plan = planning.plan(directory, planning.prepare_all(jobs, terminal))
    terminal.say_plan(len(plan.asked), plan.finished, plan.again, plan.bundles)
    _warn(plan, terminal)
    if job.launcher.dry_run:
        kept = any((job.paths.cache / "features").glob("*.npy"))
        terminal.show_bundles(plan.bundles, planning.seconds(plan), kept)
        return None
    if _wants_cluster(job, plan):
        require_cluster(job.launcher.ray.address)
    directory.mkdir(parents=True, exist_ok=True)
    planning.write_manifests(plan.asked.values())
    known = {record.run_id for record in plan.known}
    for one in plan.todo:
        if one.record.run_id not in known:
            store.write_record(directory, one.record)
    return plan


def tell(directory: Path, plan: Plan, carried: Carried, show: Show) -> int:
    """Show the board, say how it went and return the exit code."""
    job = next(iter(plan.asked.values())).job
    terminal = Terminal(directory, job.screen)
    show(carried.board or publish.board(directory).board)
    _tidy(job, terminal)
    if carried.under_way:
        terminal.say(f"{_runs(carried.under_way)} under way in another process, which will add the results")
    terminal.say_end(job.tracking, carried.unfinished)
    return INTERRUPTED if carried.interrupted else _exit_code(job, carried.unfinished, len(plan.asked))


class ResultsGone(RuntimeError):
    """What a sweep had written is not there any more."""

    exit_code = RUNS_FAILED


class Carried(NamedTuple):
    """How the plan was carried out."""

    interrupted: bool
    unfinished: list[RunRecord]
    """The asked runs that have no result, and that nobody is at."""
    under_way: int
    """The asked runs that another process is at."""
    board: Leaderboard | None
    """As it was published last; None when there was nothing to do."""


def _carry_out_what_is_left(directory: Path, plan: Plan, terminal: Terminal) -> Carried:
    """Carry the plan out, unless everything is there already."""
    if plan.bundles or references.missing(plan) or settlement.is_unsettled(directory):
        return carry_out(directory, plan, terminal)
    return Carried(False, *_left(directory, plan, plan.known), None)


def carry_out(directory: Path, plan: Plan, terminal: Terminal) -> Carried:
    """Do what the plan leaves to do, and publish it: baselines, board, report, MLflow.

    Raises:
        TrackingUnavailable: MLflow's store cannot be opened.
    """
    job = next(iter(plan.asked.values())).job
    with hire(directory, plan, terminal) as crew:
        if plan.todo:
            crew.warm_up(plan.todo[0].job)  # Keras loads there while MLflow loads here
        from benchmark.execution import Execution, Surroundings  # noqa: PLC0415 - brings MLflow, which takes seconds
        from benchmark.illustration import Illustrator  # noqa: PLC0415

        tracker = _open_tracker(job)
        illustrator = Illustrator(directory, job.figures.format if job.report.level == "full" else None)
        around = Surroundings(directory, crew, tracker, terminal, illustrator)
        execution = Execution(plan, around)
        interrupted = False

        def compute_references() -> None:
            for one in references.missing(plan):
                references.compute(one, tracker, illustrator)

        try:
            with terminal:
                execution.finish(beside=compute_references)
        except KeyboardInterrupt:
            interrupted = True
            execution.interrupt()  # a second Ctrl-C ends it all, here or below
        except Exception:
            _end(plan, around, execution.stopped, interrupted)
            raise
        return _end(plan, around, execution.stopped, interrupted)


def _end(plan: Plan, around: Surroundings, stopped: str, interrupted: bool) -> Carried:
    """Publish what is known, with a word on what is missing, and close MLflow's run of the sweep."""
    directory, _, tracker, terminal, illustrator = around
    job = next(iter(plan.asked.values())).job
    _require_results(directory, plan)
    if stopped:
        terminal.warn(f"stopped: {stopped}")
    unfinished, under_way = _left(directory, plan, store.survey(directory).records)
    illustrator.close()
    if illustrator.trouble:
        terminal.warn(f"warning: the page of a run could not be drawn ({illustrator.trouble})")
    if illustrator.undrawn:
        terminal.say(illustrator.undrawn)
    board = publish.board(directory).board
    _report(directory, job, board, terminal)
    tracker.board(board)
    tracker.close("KILLED" if interrupted else "FAILED" if unfinished else "FINISHED")
    return Carried(interrupted, unfinished, under_way, board)


def _require_results(directory: Path, plan: Plan) -> None:
    """Refuse to publish the board of a folder that went away: another would be made in its place.

    Raises:
        ResultsGone: the records that were there when the sweep began are not.
    """
    there = [record.run_id for record in [*plan.known, *(one.record for one in plan.todo)]]
    gone = [run for run in there if not (store.run_directory(directory, run) / "record.json").exists()]
    if gone:
        raise ResultsGone(
            f"found {directory} without the records of {len(gone)} of {len(there)} runs that were there before (a "
            "disk or network drive that went away?); expected them to stay: bring it back and give the same command "
            "again, which finishes the rest"
        )


def hire(directory: Path, plan: Plan, terminal: Terminal) -> Crew:
    """The workers, here or in a cluster.

    Raises:
        ClusterUnavailable: the cluster cannot be joined.
    """
    job = next(iter(plan.asked.values())).job
    if not _wants_cluster(job, plan):
        return LocalCrew(directory / "worker.log", job.launcher.workers_here)
    from benchmark.crew.cluster import RayCrew  # noqa: PLC0415 - an extra

    return RayCrew(directory, job, len(plan.bundles), terminal.say)


def _wants_cluster(job: Job, plan: Plan) -> bool:
    """Whether there is something to do that is not done on this machine."""
    return job.launcher.engine == "ray" and bool(plan.bundles)


def _report(directory: Path, job: Job, board: Leaderboard, terminal: Terminal) -> None:
    """Write report.html; results are not lost because they could not be drawn."""
    from benchmark.report import sweep as sweep_report  # noqa: PLC0415 - templates and figures take a second to load

    level = "none" if job.report.level == "none" else "board"  # the runs' own pages have been drawn beside the training
    try:
        sweep_report.write(directory, level, job.figures.format, board)
    except Exception as error:
        terminal.warn(f"warning: report.html could not be drawn ({type(error).__name__}: {error})")


def _warn(plan: Plan, terminal: Terminal) -> None:
    """Say what of the earlier results is not as it was, or was not computed as it would be now."""
    for run in plan.broken:
        terminal.warn(f"warning: {run.sentence.partition(':')[0]}; the run is done again")
    if plan.under_way:
        terminal.say(f"note: {_runs(plan.under_way)} under way in another process and left to it")
    if plan.stale:
        terminal.say(
            f"note: {plan.stale} of the finished runs were computed by other code or library versions: "
            "sweep.stale=rerun does them again"
        )


def _runs(number: int) -> str:
    """`1 run is`, `2 runs are`."""
    return "1 run is" if number == 1 else f"{number} runs are"


def _tidy(job: Job, terminal: Terminal) -> None:
    """Keep the cache within its limit."""
    removed = keep_within(job.paths.cache, int(job.machine.cache_limit_gb * 1e9))
    if removed.entries:
        terminal.say(
            f"note: {removed.entries} entries, {removed.bytes / 1e9:.2f} GB, left the cache: machine.cache_limit_gb"
        )


def _left(directory: Path, plan: Plan, records: Sequence[RunRecord]) -> tuple[list[RunRecord], int]:
    """Those of the asked runs without a result that nobody is at, and how many others another process is at."""
    without = [record for record in records if record.run_id in plan.asked and not record.finished]
    unfinished = [record for record in without if not claims.is_under_way(directory, record)]
    return unfinished, len(without) - len(unfinished)


def _exit_code(job: Job, unfinished: list[RunRecord], asked: int) -> int:
    """3 when as many runs have no result as `sweep.fail_on` says, else 0."""
    shares = {"none": 2.0, "any": 0.0, "all": 1.0}
    rule = job.sweep.fail_on
    least = shares[rule] if isinstance(rule, str) else rule
    return RUNS_FAILED if unfinished and len(unfinished) / asked >= least else DONE


def _open_tracker(job: Job) -> SweepTracker | NoTracker:
    """MLflow, or nothing."""
    from benchmark import tracking  # noqa: PLC0415 - MLflow takes seconds to load; mistakes are said before

    whereabouts.note(job.directory, job.tracking)
    if not job.tracking.enabled:
        return tracking.NoTracker()
    return tracking.SweepTracker(job.tracking.uri, job.paths.results, job.spec.dataset.name, job.sweep.name)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the sweep as Ctrl-C does: what is written stays true."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
