"""Hiring: the workers of a sweep, on this machine or in a cluster; the first loads Keras before there is a plan."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmark.crew import Crew, LocalCrew
from benchmark.jobs import WORKER_LOG, Job

if TYPE_CHECKING:  # both load what workers need not wait for
    from benchmark.planning import Plan
    from benchmark.terminal import Terminal


@contextmanager
def begun_early(job: Job, asked: int) -> Iterator[LocalCrew | None]:
    """Workers, the first of which loads Keras while the sweep is planned; None where there may be nothing to do.

    Args:
        job: the first one of the sweep.
        asked: how many jobs it has.
    """
    known = sum(1 for _ in job.directory.glob("runs/*/record.json"))
    if job.launcher.engine != "local" or job.launcher.dry_run or job.sweep.rerun == "never" or known >= asked:
        yield None
        return
    with _log(job) as log, LocalCrew(log, job.launcher.workers_here) as crew:
        crew.warm_up(job)
        yield crew


def hire(directory: Path, plan: Plan, terminal: Terminal, begun: LocalCrew | None = None) -> Crew:
    """The workers, here or in a cluster.

    Args:
        begun: workers that have been started already.

    Raises:
        ClusterUnavailable: the cluster cannot be joined.
    """
    job = next(iter(plan.asked.values())).job
    if not wants_cluster(job, plan):
        if begun is None:
            return LocalCrew(directory / WORKER_LOG, job.launcher.workers_here)
        begun.move_log(directory / WORKER_LOG)
        return begun
    from benchmark.crew.cluster import RayCrew  # noqa: PLC0415 - an extra

    return RayCrew(directory, job, len(plan.bundles), terminal.say)


def wants_cluster(job: Job, plan: Plan) -> bool:
    """Whether there is something to do that is not done on this machine."""
    return job.launcher.engine == "ray" and bool(plan.bundles)


@contextmanager
def _log(job: Job) -> Iterator[Path]:
    """Where workers print before it is known that there can be a sweep, whose folder is not made until then."""
    if job.directory.is_dir():
        yield job.directory / WORKER_LOG
        return
    results = job.paths.results
    made = [folder for folder in (results, *results.parents) if not folder.exists()]
    results.mkdir(parents=True, exist_ok=True)
    log = results / f".worker-{platform.node()}-{os.getpid()}.log"
    for other in results.glob(f".worker-{platform.node()}-*.log"):  # of calls that were killed
        number = other.stem.removeprefix(f".worker-{platform.node()}-")
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            other.unlink(missing_ok=True)
    try:
        yield log
    finally:
        log.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # they hold something now
            for folder in made:
                folder.rmdir()
