"""The sweep: plan every run, skip what is finished, have the rest carried out, publish what is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark import planning, publish, references, settlement, store
from benchmark.board import leaderboard
from benchmark.board.table import Leaderboard
from benchmark.completion import Carried, carry_out, left
from benchmark.crew import LocalCrew
from benchmark.crew.reach import require_cluster
from benchmark.errors import DONE, INTERRUPTED, RUNS_FAILED
from benchmark.hiring import wants_cluster
from benchmark.jobs import Job
from benchmark.planning import Plan
from benchmark.records import RunRecord
from benchmark.terminal import Terminal
from benchmark.wording import counted_are
from datasets.limit import keep_within

Show = Callable[[Leaderboard], None]


def run(jobs: Sequence[Job], show: Show, begun: LocalCrew | None = None) -> int:
    """Run the jobs, a board for each sweep's name, show each board and return the exit code.

    Args:
        begun: workers that have been started already, for the jobs of the first name.

    Raises:
        CannotRank: `sweep.primary` is no metric that candidates can be compared by.
    """
    for job in jobs:
        leaderboard.require_rankable(job.sweep.primary)
    code = DONE
    for directory, some in by_sweep(jobs).items():
        terminal = Terminal(directory, some[0].screen)
        plan = lay_out(directory, some, terminal)
        if plan:
            crew = begun if directory == jobs[0].directory else None
            carried = _carry_out_what_is_left(directory, plan, terminal, crew)
            code = max(code, tell(directory, plan, carried, show))
    return code


def by_sweep(jobs: Sequence[Job]) -> dict[Path, list[Job]]:
    """The jobs by the folder in which they are collected."""
    folders = dict.fromkeys(job.directory for job in jobs)
    return {folder: [job for job in jobs if job.directory == folder] for folder in folders}


def lay_out(directory: Path, jobs: Sequence[Job], terminal: Terminal) -> Plan | None:
    """Plan the jobs of one sweep, say the plan and write down what has not begun; None where it was only to be said."""
    job = jobs[0]
    plan = planning.plan(directory, planning.prepare_all(jobs, terminal))
    kept = any((job.paths.cache / "features").glob("*.npy"))
    terminal.say_plan(len(plan.asked), plan.finished, plan.again, plan.bundles, kept)
    _warn(plan, terminal)
    if job.launcher.dry_run:
        terminal.show_bundles(plan.bundles, planning.seconds(plan), kept)
        return None
    if wants_cluster(job, plan):
        require_cluster(job.launcher.ray.address)
    store.make_sweep_directory(directory)
    planning.write_manifests(plan.asked.values())
    if any(len(one.data.manifest.rejected) for one in plan.asked.values()):
        terminal.say_quarantine()
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
        others = counted_are(carried.under_way, "run")
        terminal.say(f"{others} under way in another process, which will add the results")
    terminal.say_end(job.tracking, carried.unfinished)
    if carried.interrupted:
        terminal.warn("the same command again finishes the rest")
    return INTERRUPTED if carried.interrupted else _exit_code(job, carried.unfinished, len(plan.asked))


def _carry_out_what_is_left(directory: Path, plan: Plan, terminal: Terminal, crew: LocalCrew | None) -> Carried:
    """Carry the plan out, unless everything is there already."""
    if plan.bundles or references.missing(plan) or settlement.is_unsettled(directory):
        return carry_out(directory, plan, terminal, crew)
    return Carried(False, *left(directory, plan, plan.known), None)


def _warn(plan: Plan, terminal: Terminal) -> None:
    """Say what of the earlier results is not as it was, or was not computed as it would be now."""
    for run in plan.broken:
        terminal.warn(f"warning: {run.sentence.partition(':')[0]}; the run is done again")
    if plan.under_way:
        terminal.say(f"note: {counted_are(plan.under_way, 'run')} under way in another process and left to it")
    known = {record.run_id: record for record in plan.known}
    models = sum(planning.lacks_model(one, known[one.record.run_id]) for one in plan.todo if one.record.run_id in known)
    if models:
        without = counted_are(models, "run")
        terminal.say(f"note: {without} finished without a model and done again for it: machine.save_model")
    if plan.stale:
        terminal.say(
            f"note: {plan.stale} of the finished runs were computed by other code or library versions: "
            "sweep.stale=rerun does them again"
        )


def _tidy(job: Job, terminal: Terminal) -> None:
    """Keep the cache within its limit."""
    removed = keep_within(job.paths.cache, int(job.machine.cache_limit_gb * 1e9))
    if removed.entries:
        terminal.say(
            f"note: {removed.entries} entries, {removed.bytes / 1e9:.2f} GB, left the cache: machine.cache_limit_gb"
        )


def _exit_code(job: Job, unfinished: list[RunRecord], asked: int) -> int:
    """3 when as many runs have no result as `sweep.fail_on` says, else 0."""
    shares = {"none": 2.0, "any": 0.0, "all": 1.0}
    rule = job.sweep.fail_on
    least = shares[rule] if isinstance(rule, str) else rule
    return RUNS_FAILED if unfinished and len(unfinished) / asked >= least else DONE
