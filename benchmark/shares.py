"""Shares: a sweep that a stock launcher hands out, each run to a job of its own that computes and nothing else.

What belongs to the sweep as a whole is done by the process that hands out: before, the plan; afterwards the baselines,
the board, the report and MLflow, to which the jobs never speak.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchmark import planning, settlement, sweep, whereabouts
from benchmark.board import leaderboard
from benchmark.completion import carry_out
from benchmark.crew.process import CREDENTIALS
from benchmark.errors import DONE, INTERRUPTED
from benchmark.hiring import hire
from benchmark.interruption import interruptible
from benchmark.jobs import Job
from benchmark.planning import Plan
from benchmark.sweep import Show
from benchmark.terminal import Terminal
from benchmark.untracked import NoTracker


def announce(jobs: Sequence[Job]) -> None:
    """Say what will be done, and write down the pictures and the runs that have not begun.

    Raises:
        CannotRank: `sweep.primary` is no metric that candidates can be compared by.
        TrackingUnavailable: MLflow's store cannot be used.
    """
    for job in jobs:
        leaderboard.require_rankable(job.sweep.primary)
    for directory, some in sweep.by_sweep(jobs).items():
        plan = sweep.lay_out(directory, some, Terminal(directory, some[0].screen))
        if plan is not None and plan.bundles and some[0].tracking.enabled:
            from benchmark import tracking  # noqa: PLC0415 - MLflow takes seconds to load

            tracking.probe(some[0].tracking.uri, some[0].paths.results)
            settlement.note_unsettled(directory)


def take_credentials() -> dict[str, str]:
    """MLflow's variables, taken out of the environment that the jobs inherit."""
    return {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(CREDENTIALS)}


def compute(jobs: Sequence[Job]) -> int:
    """Run the jobs and return the exit code, which is 0 whatever becomes of them: it stands in their records."""
    with interruptible():
        return max(_compute(directory, some) for directory, some in sweep.by_sweep(jobs).items())


def conclude(jobs: Sequence[Job], show: Show) -> int:
    """Publish and show what the jobs have left, and return the exit code; MLflow gets it when it answers."""
    code = DONE
    for directory, some in sweep.by_sweep(jobs).items():
        if not some[0].launcher.dry_run:
            code = max(code, _conclude(directory, some, show))
    return code


def _compute(directory: Path, jobs: Sequence[Job]) -> int:
    plan, job = _planned(directory, jobs), jobs[0]
    if job.launcher.dry_run or not plan.bundles:
        return DONE
    terminal = Terminal(directory, "quiet" if job.screen == "quiet" else "plain")
    terminal.speak_as_one_of_many(note for one in plan.todo for note in one.record.notes)
    with hire(directory, plan, terminal) as crew:
        crew.warm_up(job)  # Keras loads there while the rest loads here
        from benchmark.execution import Execution, Surroundings  # noqa: PLC0415
        from benchmark.illustration import Illustrator  # noqa: PLC0415

        form = job.figures.format if job.report.level == "full" else None
        illustrator = Illustrator(directory, form, job.paths.measuring)
        execution = Execution(plan, Surroundings(directory, crew, terminal, illustrator))
        try:
            with terminal:
                execution.finish(NoTracker())
        except KeyboardInterrupt:
            execution.interrupt()
            return INTERRUPTED
        finally:
            illustrator.close()
            if illustrator.trouble:
                terminal.warn(f"warning: the page of a run could not be drawn ({illustrator.trouble})")
    return DONE


def _conclude(directory: Path, jobs: Sequence[Job], show: Show) -> int:
    from benchmark.tracking import TrackingUnavailable  # noqa: PLC0415

    # A sweep of which nothing is to be begun any more goes on where one ends that has done everything itself.
    plan, terminal = _planned(directory, _with(jobs, "sweep", rerun="never")), Terminal(directory, jobs[0].screen)
    try:
        carried = carry_out(directory, plan, terminal)
    except TrackingUnavailable as error:
        terminal.warn(f"warning: {error}; once it answers, `bench mlflow push {directory}` sends everything")
        untracked = _with(_with(jobs, "sweep", rerun="never"), "tracking", enabled=False)
        carried = carry_out(directory, _planned(directory, untracked), terminal)
        whereabouts.note(directory, jobs[0].tracking)
    return sweep.tell(directory, plan, carried, show)


def _planned(directory: Path, jobs: Sequence[Job]) -> Plan:
    """The plan without a word: it has been said."""
    return planning.plan(directory, planning.prepare_all(jobs, Terminal(directory, "quiet")))


def _with(jobs: Sequence[Job], group: str, **settings: object) -> list[Job]:
    """The jobs with other settings in one group."""
    return [job.model_copy(update={group: getattr(job, group).model_copy(update=settings)}) for job in jobs]
