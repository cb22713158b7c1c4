"""The doctor: what about this machine or a planned sweep will go wrong, each finding with its remedy."""

from __future__ import annotations

import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

import psutil
from packaging.requirements import InvalidRequirement, Requirement

from benchmark import environment
from benchmark.crew.reach import ClusterUnavailable, require_cluster
from benchmark.errors import sentence
from benchmark.jobs import Job
from benchmark.wording import counted, counted_are
from datasets.prepare import prepare

LOCK = environment.ROOT / "requirements.lock"
OLDEST, NEWEST = (3, 11), (3, 13)
LEAST_FREE_GB = 1.0
AMPLE_FREE_GB = 10.0
LEAST_MEMORY_GB = 2.0
"""For a worker process; Keras alone takes half a gigabyte."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    subject: str
    state: Literal["ok", "warning", "problem"]
    text: str
    remedy: str = ""


def examine_machine(jobs: Sequence[Job]) -> Iterator[Finding]:
    """Python, packages, code, processors, memory and disks, for the jobs of a sweep."""
    yield _python()
    yield _packages()
    yield _code()
    yield _cores(jobs[0])
    yield _memory(jobs[0])
    if jobs[0].launcher.engine == "ray":
        yield _cluster(jobs[0])
    for name, path in {"results": jobs[0].paths.results, "cache": jobs[0].paths.cache}.items():
        yield _disk(name, path)


def examine_data(jobs: Sequence[Job]) -> Iterator[Finding]:
    """Every data set of the jobs, looked through as the sweep would."""
    seen = set()
    for job in jobs:
        key = job.spec.dataset.model_dump_json(exclude={"image_size", "resize"})
        if key in seen:
            continue
        seen.add(key)
        name = f"data {job.spec.dataset.name}"
        try:
            manifest = prepare(job.spec.dataset, job.location, job.paths.cache, job.machine.workers, None)
        except (ValueError, OSError) as error:
            yield Finding(name, "problem", sentence(error), "bench audit DIR says more about a folder")
            continue
        text = f"{counted(len(manifest.table), 'picture')} in {len(manifest.classes)} classes"
        if len(manifest.rejected):
            yield Finding(
                name, "warning", f"{text}; {counted_are(len(manifest.rejected), 'file')} left out", "bench audit DIR"
            )
        else:
            yield Finding(name, "ok", text)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return Finding("Python", "ok", found)
    expected = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    return Finding("Python", "problem", f"{found}, expected {expected}", "rm -r .venv && make PYTHON=python3.11 test")


def _packages() -> Finding:
    """The installed versions beside those of the lock file."""
    if not LOCK.is_file():
        return Finding("packages", "warning", f"no {LOCK.name} beside the code", "compare with the one of the release")
    missing, others, count = [], [], 0
    for name, wanted in _locked():
        count += 1
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if found != wanted:
            others.append(f"{name} {found}, locked {wanted}")
    remedy = "rm -r .venv && make test sets up the locked ones"
    if missing:
        return Finding("packages", "problem", f"not installed: {', '.join(missing[:10])}", remedy)
    if others:
        return Finding("packages", "warning", f"other versions, other last digits: {'; '.join(others[:10])}", remedy)
    return Finding("packages", "ok", f"{count} as locked")


def _locked() -> Iterator[tuple[str, str]]:
    """Name and version of every package that the lock file asks for on this machine."""
    for line in LOCK.read_text("utf-8").splitlines():
        if not line[:1].isalnum():
            continue
        try:
            wanted = Requirement(line.removesuffix("\\").strip())
        except InvalidRequirement:
            continue
        if wanted.marker is None or wanted.marker.evaluate():
            yield wanted.name, str(wanted.specifier).removeprefix("==")


def _code() -> Finding:
    code = environment.code()
    if not code["commit"]:
        return Finding("code", "warning", "no git checkout: records will not say which code ran", "git clone it")
    if code["dirty"]:
        return Finding("code", "warning", f"{code['commit'][:12]} with changes that are in no commit", "git commit")
    return Finding("code", "ok", code["commit"][:12])


def _cores(job: Job) -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    used = job.machine.threads * job.launcher.workers_here
    text = f"{cores}; {job.launcher.workers_here} x {job.machine.threads} threads train"
    if used > cores:
        return Finding("cores", "warning", text, "lower launcher.workers or machine.threads")
    return Finding("cores", "ok", text)


def _cluster(job: Job) -> Finding:
    """Whether something listens at the cluster's address; only the sweep itself joins it."""
    try:
        require_cluster(job.launcher.ray.address)
    except ClusterUnavailable as error:
        found, _, expected = str(error).partition("; expected ")
        return Finding("cluster", "problem", found.removeprefix("found "), expected)
    return Finding("cluster", "ok", f"launcher.ray.address={job.launcher.ray.address}")


def free_memory(own: Path = Path("/proc/self/cgroup"), groups: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes that this process may still take: of the machine's, and of those of its container or Slurm job.

    Args:
        own: the control groups of this process, as Linux lists them.
        groups: where control groups are mounted.
    """
    free = float(psutil.virtual_memory().available)
    if not own.is_file():
        return free
    for line in own.read_text("utf-8").splitlines():
        _, controllers, place = line.split(":", 2)
        if "memory" in controllers.split(","):
            top, files, cached = groups / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes"), "total_inactive"
        elif not controllers:
            top, files, cached = groups, ("memory.max", "memory.current"), "inactive"
        else:
            continue
        group = top / place.lstrip("/")
        for level in (group, *group.parents):  # the limit may be that of a group around this one
            if level.is_relative_to(top):
                free = min(free, _left_in(level, files, f"{cached}_file "))
    return max(free, 0.0)


def _left_in(group: Path, files: tuple[str, str], cached: str) -> float:
    """Bytes up to the group's limit, without what it holds of files and can drop; infinite without a limit."""
    try:
        limit, used = (float((group / name).read_text("utf-8").replace("max", "inf")) for name in files)
        facts = (group / "memory.stat").read_text("utf-8").splitlines()
    except OSError:
        return math.inf
    droppable = sum(float(line.removeprefix(cached)) for line in facts if line.startswith(cached))
    return limit - used + droppable


def _memory(job: Job) -> Finding:
    free = free_memory() / 1e9
    wanted = LEAST_MEMORY_GB * job.launcher.workers_here
    text = f"{free:.1f} GB free"
    if free < wanted:
        remedy = "end other programs, or launcher.workers=1"
        return Finding("memory", "problem", f"{text}, expected {wanted:.0f} GB", remedy)
    return Finding("memory", "ok", text)


def _disk(name: str, path: Path) -> Finding:
    """Whether the folder, or the nearest one above it, can be written and has room."""
    place = next(one for one in (path, *path.parents) if one.exists())
    subject = f"disk for {name}"
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            free = shutil.disk_usage(place).free / 1e9
    except OSError as error:
        return Finding(subject, "problem", f"{place} cannot be written: {error.strerror}", f"choose paths.{name}=DIR")
    text = f"{free:.1f} GB free in {place}"
    if free < LEAST_FREE_GB:
        return Finding(subject, "problem", f"{text}, expected {LEAST_FREE_GB:.0f} GB", f"choose paths.{name}=DIR")
    if free < AMPLE_FREE_GB:
        return Finding(subject, "warning", text, f"watch it, or choose paths.{name}=DIR")
    return Finding(subject, "ok", text)
