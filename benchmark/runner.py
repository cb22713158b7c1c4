"""Runs, start to end: where data, model and disk meet. It happens in a worker process."""

from __future__ import annotations

import functools
import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import environment, exhibits, metrics, store, vitals
from benchmark.errors import sentence
from benchmark.jobs import Assignment, Order
from benchmark.model import experiment, latency, settings
from benchmark.predictions import InvalidPredictions, Predictions
from benchmark.records import Cost, Failure, Latency, RunRecord, Status
from benchmark.vitals import Peak
from datasets.manifest import Manifest
from datasets.pixels import pixels

log = logging.getLogger(__name__)

Tell = Callable[[str, str, dict[str, Any]], None]
"""Told a kind, a run id and facts: `epoch` and its row; `pictures` that passed through a frozen part, of how many."""
Outcome = experiment.Result | Exception
SPLITS = ("train", "val", "test")


def run(order: Order, tell: Tell) -> None:
    """Do the ordered runs and write their files and records; it never raises for what happens inside them."""
    with vitals.watched_passes(functools.partial(tell, "pictures", order.runs[0].planned.run_id)):
        if len(order.runs) > 1:
            try:
                _together(order, tell)
            except Exception:  # whatever a stack suffers, each of its runs may still do well alone
                log.exception("the stack failed; its runs are done one by one")
            else:
                return
        for assignment in order.runs:
            _alone(order.manifest, assignment, tell)


def _together(order: Order, tell: Tell) -> None:
    """A stack of runs in one compiled program."""
    began, runs = time.perf_counter(), order.runs
    with vitals.peak_memory() as peak:
        for one in runs[1:]:
            _refer(one, runs[0].planned.run_id, None)
        data, seconds_pixels = _data(order.manifest, runs[0])
        outcomes: list[Outcome] = experiment.run_stack(
            [one.spec for one in runs],
            data,
            _machine(runs[0]),
            lambda member, row: tell("epoch", runs[member].planned.run_id, row),
        )
        share = (time.perf_counter() - began) / len(runs)
        for one, outcome in zip(runs, outcomes, strict=True):
            finishing = time.perf_counter()
            record = _concluded(data, order.manifest, one, outcome, seconds_pixels / len(runs))
            _write(one, record, share + time.perf_counter() - finishing, peak, len(runs))
            if one is not runs[0] and isinstance(outcome, Exception):
                _refer(one, runs[0].planned.run_id, outcome)


def _refer(member: Assignment, first: str, error: Exception | None) -> None:
    """Give a member of a stack a log of its own: where the whole is, and its traceback, if any."""
    text = f"trained in a stack with {first}, whose log.txt holds what was printed\n"
    if error is not None:
        text += "".join(traceback.format_exception(error))
    store.write_text(store.run_directory(member.job.directory, member.planned.run_id) / "log.txt", text)


def _alone(manifest: Path, assignment: Assignment, tell: Tell) -> None:
    """One run; a batch that does not fit into memory is halved once."""
    began, run_id = time.perf_counter(), assignment.planned.run_id
    with vitals.peak_memory() as peak:
        record = _attempt(manifest, assignment, tell)
        if record.status == "oom" and assignment.batch_size > 1:
            assignment = assignment.model_copy(update={"batch_size": assignment.batch_size // 2})
            log.warning("too little memory for %s; once more with half the batch", run_id)
            record = _attempt(manifest, assignment, tell)
    _write(assignment, record, time.perf_counter() - began, peak, 1)


def _attempt(manifest: Path, assignment: Assignment, tell: Tell) -> RunRecord:
    """The run's record, whatever happens to it."""
    run_id = assignment.planned.run_id
    try:
        data, seconds_pixels = _data(manifest, assignment)
        outcome = experiment.run(assignment.spec, data, _machine(assignment), functools.partial(tell, "epoch", run_id))
        return _concluded(data, manifest, assignment, outcome, seconds_pixels)
    except Exception as error:  # whatever a model does must not end the sweep: it becomes a status and a traceback
        return _failed(assignment, error)


def _concluded(
    data: experiment.Data, manifest: Path, assignment: Assignment, outcome: Outcome, seconds_pixels: float
) -> RunRecord:
    """The record of a run that trained, its files written; or of one that did not."""
    if isinstance(outcome, Exception):
        return _failed(assignment, outcome)
    try:
        record = _finished(_manifest(manifest), assignment, outcome, seconds_pixels)
        return _exhibited(data, assignment, outcome, record) if assignment.job.report.level == "full" else record
    except Exception as error:
        return _failed(assignment, error)


def _finished(manifest: Manifest, assignment: Assignment, result: experiment.Result, pixels: float) -> RunRecord:
    """Predict, score and write."""
    job, planned = assignment.job, assignment.planned
    scores = {}
    for split, probabilities in (("val", result.val), ("test", result.test)):
        predictions = _predictions(manifest, _rows(manifest, split), probabilities)
        store.write_predictions(job.directory, planned.run_id, split, predictions)
        scores[split] = metrics.score_all(predictions)
    store.write_history(job.directory, planned.run_id, result.history)
    if job.machine.save_model:
        with store.replacing(store.run_directory(job.directory, planned.run_id) / "model.keras") as temporary:
            result.model.save(temporary)
    halved = assignment.batch_size < job.spec.training.batch_size
    note = f"training.batch_size={job.spec.training.batch_size} did not fit into memory; {assignment.batch_size} did"
    return planned.model_copy(
        update={
            "status": "ok",
            "test": scores["test"],
            "val": scores["val"],
            "class_weights": result.class_weights,
            "parameters": result.parameters,
            "notes": (*planned.notes, *result.notes, *([note] if halved else [])),
            "environment": _environment(assignment),
            "cost": Cost(
                epochs=result.epochs,
                best_epoch=result.best_epoch,
                seconds_pixels=pixels,
                seconds_features=result.seconds.features,
                seconds_train=result.seconds.train,
                seconds_predict=result.seconds.predict,
                seconds_input=result.seconds.input,
                seconds_total=0.0,
                path=result.path,
                stacked=1,
                batch_size_effective=assignment.batch_size,
                latency=_latency(assignment, result),
                peak_memory_mb=0.0,
            ),
        }
    )


def _exhibited(
    data: experiment.Data, assignment: Assignment, result: experiment.Result, record: RunRecord
) -> RunRecord:
    """The record, after heat maps and the like are written; a result is not lost because it cannot be shown."""
    try:
        exhibits.write(assignment, data, result)
    except Exception as error:
        log.exception("heat maps could not be made")
        note = f"no heat maps: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'see the log'}"
        return record.model_copy(update={"notes": (*record.notes, note)})
    return record


def _write(assignment: Assignment, record: RunRecord, seconds: float, peak: Peak, stacked: int) -> None:
    """Put the record there, last of the run's files."""
    measured = {"seconds_total": seconds, "peak_memory_mb": peak.megabytes, "stacked": stacked}
    cost = record.cost and record.cost.model_copy(update=measured)
    store.write_record(assignment.job.directory, record.model_copy(update={"cost": cost}))


def _data(path: Path, assignment: Assignment) -> tuple[experiment.Data, float]:
    """The pictures of a run, and the seconds it took to have them."""
    began, spec, job = time.perf_counter(), assignment.spec, assignment.job
    manifest = _manifest(path)
    cache = pixels(manifest, spec.dataset.image_size, spec.dataset.resize, job.paths.cache, job.machine.workers, None)
    train, val, test = (_rows(manifest, split) for split in SPLITS)
    data = experiment.Data(cache.array, manifest.labels, train, val, test, manifest.classes, cache.key)
    return data, time.perf_counter() - began


def _machine(assignment: Assignment) -> experiment.Machine:
    """Where the model computes."""
    job = assignment.job
    limit = int(job.machine.cache_limit_gb * 1e9)
    return experiment.Machine(job.weights_path, job.paths.cache, job.machine.threads, limit)


def _latency(assignment: Assignment, result: experiment.Result) -> Latency | None:
    """The time of a prediction, measured once for each architecture on this machine."""
    job = assignment.job
    if not job.machine.measure_latency:
        return None
    classes = len(assignment.planned.classes)
    return latency.load_or_measure(
        assignment.spec, classes, lambda: result.model, job.paths.latency, job.machine.threads
    )


def _environment(assignment: Assignment) -> dict[str, Any]:
    """What the result was computed with."""
    devices = settings.identity()["devices"]
    return {**environment.describe(), "threads": assignment.job.machine.threads, "devices": devices}


def _rows(manifest: Manifest, split: str) -> np.ndarray:
    """The rows of a split's pictures."""
    return np.flatnonzero(manifest.table["split"].to_numpy() == split)


def _predictions(manifest: Manifest, rows: np.ndarray, probabilities: np.ndarray) -> Predictions:
    """What the run said about the pictures of these rows."""
    table = manifest.table.iloc[rows]
    images, groups = table["pixels_sha256"].to_numpy(str), table["group"].to_numpy(str)
    return Predictions(images, groups, manifest.labels[rows], probabilities, manifest.classes)


@functools.lru_cache(maxsize=4)
def _manifest(path: Path) -> Manifest:
    """The sweep's manifest; the sweep never changes it while workers live."""
    return Manifest.read_csv(path)


def _failed(assignment: Assignment, error: Exception) -> RunRecord:
    """The record of a run that ended in this error, whose traceback is in the log."""
    planned = assignment.planned
    log.error("the run %s failed", planned.run_id, exc_info=error)
    status, failure = _failure(error)
    update = {"status": status, "failure": failure, "environment": _environment(assignment)}
    return planned.model_copy(update=update)


def _failure(error: Exception) -> tuple[Status, Failure]:
    """The state that this error leaves a run in, and its sentence."""
    kind = type(error).__name__
    if kind == "Diverged" or isinstance(error, InvalidPredictions):
        return "diverged", Failure(kind=kind, message=str(error))
    if isinstance(error, MemoryError) or kind == "ResourceExhaustedError":
        message = "found too little memory for this model and batch; lower training.batch_size or dataset.image_size"
        return "oom", Failure(kind=kind, message=message)
    if isinstance(error, OSError) and error.errno is not None:
        return "failed", Failure(kind=kind, message=sentence(error))
    first = next((line for line in str(error).splitlines() if line.strip()), "no message; see the log")
    return "failed", Failure(kind=kind, message=first if len(str(error)) > 500 else str(error))
