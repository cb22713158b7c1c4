"""Completion: what a plan leaves to do is done and published: baselines, runs, board, report, MLflow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmark import claims, publish, references, store, whereabouts
from benchmark.board.table import Leaderboard
from benchmark.crew import Crew, LocalCrew
from benchmark.errors import RUNS_FAILED
from benchmark.jobs import Job
from benchmark.planning import Plan
from benchmark.records import RunRecord
from benchmark.terminal import Terminal

if TYPE_CHECKING:
    from benchmark.execution import Surroundings
    from benchmark.tracking import NoTracker, SweepTracker


class Carried(NamedTuple):
    """How the plan was carried out."""

    interrupted: bool
    unfinished: list[RunRecord]
    """The asked runs that have no result, and that nobody is at."""
    under_way: int
    """The asked runs that another process is at."""
    board: Leaderboard | None
    """As it was published last; None when there was nothing to do."""


class ResultsGone(RuntimeError):
    """What a sweep had written is not there any more."""

    exit_code = RUNS_FAILED


def carry_out(directory: Path, plan: Plan, terminal: Terminal, begun: LocalCrew | None = None) -> Carried:
    """Do what the plan leaves to do, and publish it: baselines, board, report, MLflow.

    Args:
        begun: workers that have been started already.

    Raises:
        TrackingUnavailable: MLflow's store cannot be opened.
    """
    job = next(iter(plan.asked.values())).job
    with hire(directory, plan, terminal, begun) as crew:
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


@contextmanager
def begun_early(directory: Path, jobs: Sequence[Job]) -> Iterator[LocalCrew | None]:
    """Workers, the first of which loads Keras while the pictures are looked at; None where nothing may be to do."""
    job, known = jobs[0], sum(1 for _ in directory.glob("runs/*/record.json"))
    if job.launcher.engine != "local" or job.launcher.dry_run or job.sweep.rerun == "never" or known >= len(jobs):
        yield None
        return
    # The sweep's folder is not made before it is known that there can be a sweep.
    job.paths.results.mkdir(parents=True, exist_ok=True)
    log = directory / store.WORKER_LOG if directory.is_dir() else job.paths.results / f".worker-{os.getpid()}.log"
    with LocalCrew(log, job.launcher.workers_here) as crew:
        crew.warm_up(job)
        try:
            yield crew
        finally:
            if log.name != store.WORKER_LOG:
                log.unlink(missing_ok=True)


def hire(directory: Path, plan: Plan, terminal: Terminal, begun: LocalCrew | None = None) -> Crew:
    """The workers, here or in a cluster.

    Raises:
        ClusterUnavailable: the cluster cannot be joined.
    """
    job = next(iter(plan.asked.values())).job
    if not wants_cluster(job, plan):
        if begun is None:
            return LocalCrew(directory / store.WORKER_LOG, job.launcher.workers_here)
        begun.move_log(directory / store.WORKER_LOG)
        return begun
    from benchmark.crew.cluster import RayCrew  # noqa: PLC0415 - an extra

    return RayCrew(directory, job, len(plan.bundles), terminal.say)


def wants_cluster(job: Job, plan: Plan) -> bool:
    """Whether there is something to do that is not done on this machine."""
    return job.launcher.engine == "ray" and bool(plan.bundles)


def left(directory: Path, plan: Plan, records: Sequence[RunRecord]) -> tuple[list[RunRecord], int]:
    """Those of the asked runs without a result that nobody is at, and how many others another process is at."""
    without = [record for record in records if record.run_id in plan.asked and not record.finished]
    unfinished = [record for record in without if not claims.is_under_way(directory, record)]
    return unfinished, len(without) - len(unfinished)


def _end(plan: Plan, around: Surroundings, stopped: str, interrupted: bool) -> Carried:
    """Publish what is known, with a word on what is missing, and close MLflow's run of the sweep."""
    directory, _, tracker, terminal, illustrator = around
    job = next(iter(plan.asked.values())).job
    _require_results(directory, plan)
    if stopped:
        terminal.warn(f"stopped: {stopped}")
    unfinished, under_way = left(directory, plan, store.survey(directory).records)
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


def _report(directory: Path, job: Job, board: Leaderboard, terminal: Terminal) -> None:
    """Write report.html; results are not lost because they could not be drawn."""
    from benchmark.report import sweep as sweep_report  # noqa: PLC0415 - templates and figures take a second to load

    try:  # the runs' own pages have been drawn beside the training
        sweep_report.write(directory, job.report.level, job.figures.format, board, pages_of_runs=False)
    except Exception as error:
        terminal.warn(f"warning: report.html could not be drawn ({type(error).__name__}: {error})")


def _open_tracker(job: Job) -> SweepTracker | NoTracker:
    """MLflow, or nothing."""
    from benchmark import tracking  # noqa: PLC0415 - MLflow takes seconds to load; mistakes are said before

    whereabouts.note(job.directory, job.tracking)
    if not job.tracking.enabled:
        return tracking.NoTracker()
    return tracking.SweepTracker(job.tracking.uri, job.paths.results, job.spec.dataset.name, job.sweep.name)
