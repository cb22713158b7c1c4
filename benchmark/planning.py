"""Planning: the asked jobs with their pictures, what of them is finished, and what is left in which order."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from backbones import registry
from benchmark import claims, environment, store
from benchmark.bundles import Bundle, Todo, bundles, work
from benchmark.jobs import Job
from benchmark.records import RunRecord, software
from benchmark.terminal import Terminal
from datasets.manifest import Manifest
from datasets.pixels import pixels
from datasets.prepare import prepare

GFLOPS_PER_THREAD = 40.0
"""10^9 operations a second that training reaches on one thread, before a finished run of this folder tells better."""
SECONDS_PER_RUN = 0.5
"""What a run takes besides its arithmetic."""
SECONDS_TO_START = 10.0
"""Until a worker process has loaded Keras."""


class NotTheSameSweep(ValueError):
    """The folder holds results that cannot stand on one board with the planned ones."""

    exit_code = 5


class Prepared(NamedTuple):
    """A manifest and its file in the sweep's folder, which workers read."""

    manifest: Manifest
    path: Path
    fingerprint: str
    """Of the pictures, labels and split; the first fold's stands for all folds, which are one partition."""
    pictures: Mapping[str, int]
    """How many each split has."""
    is_even: bool
    """Whether all classes have equally many training pictures."""


class Planned(NamedTuple):
    """A run that was asked for: its job, its record before it begins and its pictures."""

    job: Job
    record: RunRecord
    data: Prepared


class Plan(NamedTuple):
    """The asked runs, and those of them that shall be done now."""

    asked: dict[str, Planned]
    """By run id."""
    known: list[RunRecord]
    """Every whole record in the sweep's folder, as it was before anything is done."""
    bundles: list[Bundle]
    finished: int
    """Asked runs with a result that is kept."""
    again: Counter[str]
    """How many of those to be done were tried before, by the status they ended in."""
    stale: int
    """Kept results of other code or other library versions."""
    under_way: int
    """Runs that another process is at now; they are left to it."""
    broken: list[store.BrokenRun]
    """Asked runs whose files are damaged; they are done again."""

    @property
    def todo(self) -> list[Planned]:
        """The runs to be done, in the order in which they are begun."""
        return [self.asked[run.run_id] for bundle in self.bundles for run in bundle.runs]


def prepare_all(jobs: Sequence[Job], terminal: Terminal) -> list[Planned]:
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
            alike |= {job.spec.weighting.name} if data.is_even else set()
        planned.append(Planned(job, _pending(job, data), data))
        recipe = (key, dataset.image_size, dataset.resize)
        if recipe not in decoded and not job.launcher.dry_run:
            decoded.add(recipe)
            with terminal.progress(f"decoding at {dataset.image_size} px") as progress:
                found = pixels(data.manifest, dataset.image_size, dataset.resize, cache, machine.workers, progress)
            for note in found.notes:
                terminal.say(f"note: {note}")
    if alike:
        names = ", ".join(sorted(alike))
        terminal.say(f"note: all classes have equally many training pictures: weighting {names} changes nothing here")
    return planned


def plan(directory: Path, planned: Sequence[Planned]) -> Plan:
    """What is still to be done, by `sweep.rerun` and `sweep.stale`.

    Raises:
        NotTheSameSweep: the folder holds runs on other pictures, another split or another primary metric.
    """
    asked = {one.record.run_id: one for one in planned}
    survey = store.survey(directory) if directory.is_dir() else store.Survey([], [])
    known = {record.run_id: record for record in survey.records}
    one = next(iter(asked.values()))
    _require_one_board(directory, one.record, [*known.values(), *(each.record for each in asked.values())])
    sweep = one.job.sweep
    stale = [run_id for run_id in known.keys() & asked.keys() if known[run_id].finished and is_stale(known[run_id])]
    under_way = {run_id for run_id in known.keys() & asked.keys() if claims.is_under_way(directory, known[run_id])}
    wanted = [run for run in asked.values() if is_wanted(run, known.get(run.record.run_id))]
    todo = [run for run in wanted if run.record.run_id not in under_way]
    tried = [known[run.record.run_id].status for run in todo if run.record.run_id in known]
    chosen = {run.record.run_id for run in todo}
    return Plan(
        asked=asked,
        known=survey.records,
        bundles=bundles([_todo(run) for run in todo], one.job.launcher.stack),
        finished=sum(known[run_id].finished for run_id in known.keys() & asked.keys() - chosen),
        again=Counter(status for status in tried if status != "pending"),
        stale=len(stale) if sweep.stale == "keep" else 0,
        under_way=len(wanted) - len(todo),
        broken=[run for run in survey.broken if run.run_id in asked],
    )


def write_manifests(planned: Iterable[Planned]) -> None:
    """Put the manifests where workers find them."""
    for one in planned:
        if not one.data.path.exists():
            one.data.manifest.to_csv(one.data.path)


def is_stale(record: RunRecord) -> bool:
    """Whether the result comes from another commit, another change of it, or other library versions."""
    return software(record.environment) != software(environment.describe())


def seconds(plan: Plan) -> float:
    """About how long the plan takes; the machine's speed is taken from finished runs of the same folder, if any."""
    todo = [run for bundle in plan.bundles for run in bundle.runs]
    if not todo:
        return 0.0
    launcher, machine = plan.todo[0].job.launcher, plan.todo[0].job.machine
    speeds = [
        work([_todo(plan.asked[record.run_id])]) / taken
        for record in plan.known
        if record.run_id in plan.asked and record.cost and record.cost.stacked == 1
        if (taken := record.cost.seconds_features + record.cost.seconds_train) > 1.0
    ]
    speed = sorted(speeds)[len(speeds) // 2] if speeds else GFLOPS_PER_THREAD * machine.threads
    return SECONDS_TO_START + SECONDS_PER_RUN * len(todo) + work(todo) / speed / launcher.workers_here


def is_wanted(run: Planned, known: RunRecord | None) -> bool:
    """Whether the run, of which this much is known, shall be done now."""
    sweep = run.job.sweep
    if sweep.rerun in ("all", "never"):
        return sweep.rerun == "all"
    if known is not None and known.finished:
        return lacks_model(run, known) or (sweep.stale == "rerun" and is_stale(known))
    return sweep.rerun == "missing" or (known is not None and known.status != "pending")


def lacks_model(run: Planned, known: RunRecord) -> bool:
    """Whether the run's model is to be kept, and its result came without one."""
    job = run.job
    path = store.run_directory(job.directory, known.run_id) / "model.keras"
    return job.machine.save_model and known.finished and not path.is_file()


def _todo(run: Planned) -> Todo:
    """The run as its bundle sees it."""
    spec = run.job.spec
    gflops = registry.gflops(spec.backbone.name, spec.dataset.image_size)
    return Todo(run.record.run_id, spec, run.data.pictures, gflops)


def _prepared(job: Job, manifest: Manifest) -> Prepared:
    """The manifest with its place in the sweep's folder."""
    dataset, counts = job.spec.dataset, manifest.counts
    whole, name = manifest, "manifest.csv"
    if dataset.split == "kfold":
        name = f"manifest-fold{dataset.fold}.csv"
        if dataset.fold:
            first = dataset.model_copy(update={"fold": 0})
            whole = prepare(first, job.location, job.paths.cache, job.machine.workers, None)
    pictures = {split: int(counts[split].sum()) for split in ("train", "val", "test")}
    return Prepared(manifest, job.directory / name, whole.fingerprint, pictures, counts["train"].nunique() == 1)


def _require_one_board(directory: Path, first: RunRecord, records: Iterable[RunRecord]) -> None:
    for record in records:
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
        command=_command(job),
    )


def _command(job: Job) -> str:
    """The shell command that gives this run again, on a cluster if it was: hydra/launcher is no word of a job."""
    engine = [f"launcher.engine={job.launcher.engine}"] if job.launcher.engine != "local" else []
    return shlex.join(
        ["python", "-m", "benchmark", *job.overrides, *(word for word in engine if word not in job.overrides)]
    )
