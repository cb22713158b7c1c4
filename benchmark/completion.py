"""Completion: what a plan leaves to do is done and published: baselines, runs, board, report, MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmark import claims, publish, references, store, whereabouts
from benchmark.board.table import Leaderboard
from benchmark.crew import LocalCrew
from benchmark.errors import RUNS_FAILED
from benchmark.hiring import hire
from benchmark.jobs import Job
from benchmark.planning import Plan
from benchmark.records import RunRecord
from benchmark.terminal import Terminal
from benchmark.untracked import NoTracker

if TYPE_CHECKING:
    from benchmark.execution import Surroundings
    from benchmark.tracking import SweepTracker


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
            crew.warm_up(plan.todo[0].job)  # Keras loads there while all else loads here
        from benchmark.execution import Execution, Surroundings  # noqa: PLC0415
        from benchmark.illustration import Illustrator  # noqa: PLC0415

        form = job.figures.format if job.report.level == "full" else None
        illustrator = Illustrator(directory, form, job.paths.measuring)
        around = Surroundings(directory, crew, terminal, illustrator)
        execution = Execution(plan, around)
        try:
            execution.begin()
            tracker = _open_tracker(job, plan)  # while the first workers are at work
        except BaseException:
            execution.withdraw()
            raise
        interrupted = False

        def compute_references() -> None:
            for one in references.missing(plan):
                references.compute(one, tracker, illustrator)

        try:
            with terminal:
                execution.finish(tracker, beside=compute_references)
        except KeyboardInterrupt:
            interrupted = True
            execution.interrupt()  # a second Ctrl-C ends it all, here or below
        except Exception:
            _end(plan, around, tracker, execution.stopped, interrupted)
            raise
        return _end(plan, around, tracker, execution.stopped, interrupted)


def left(directory: Path, plan: Plan, records: Sequence[RunRecord]) -> tuple[list[RunRecord], int]:
    """Those of the asked runs without a result that nobody is at, and how many others another process is at."""
    without = [record for record in records if record.run_id in plan.asked and not record.finished]
    unfinished = [record for record in without if not claims.is_under_way(directory, record)]
    return unfinished, len(without) - len(unfinished)


def _end(
    plan: Plan, around: Surroundings, tracker: SweepTracker | NoTracker, stopped: str, interrupted: bool
) -> Carried:
    """Publish what is known, with a word on what is missing, and close MLflow's run of the sweep."""
    directory, _, terminal, illustrator = around
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


def _open_tracker(job: Job, plan: Plan) -> SweepTracker | NoTracker:
    """MLflow, or nothing."""
    whereabouts.note(job.directory, job.tracking)
    if not job.tracking.enabled:
        return NoTracker()
    from benchmark import tracking  # noqa: PLC0415 - MLflow takes seconds to load; mistakes are said before

    expected = (one.record.run_id for one in plan.todo)
    return tracking.SweepTracker(job.tracking.uri, job.paths.results, job.spec.dataset.name, job.sweep.name, expected)
