"""One run, start to end: where data, model and disk meet. It happens in a worker process."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmark import environment, metrics, store
from benchmark.jobs import Order
from benchmark.model import experiment, settings
from benchmark.predictions import InvalidPredictions, Predictions
from benchmark.records import Cost, Failure, RunRecord, Status
from datasets.manifest import Manifest
from datasets.pixels import pixels

log = logging.getLogger(__name__)


def run(order: Order, on_epoch: Callable[[dict[str, Any]], None]) -> RunRecord:
    """Do the planned run, write its files and return its record; it never raises for what happens inside."""
    (job, planned), began = (order.runs[0].job, order.runs[0].planned), time.perf_counter()
    try:
        with _peak_memory() as peak:
            finished = _run(order, on_epoch)
    except Exception as error:  # whatever a model does must not end the sweep: it becomes a status and a traceback
        log.exception("the run failed")
        status, failure = _failure(error)
        finished = planned.model_copy(update={"status": status, "failure": failure})
    cost = finished.cost and finished.cost.model_copy(
        update={"seconds_total": time.perf_counter() - began, "peak_memory_mb": peak.megabytes}
    )
    finished = finished.model_copy(update={"cost": cost})
    store.write_record(job.directory, finished)
    return finished


def _run(order: Order, on_epoch: Callable[[dict[str, Any]], None]) -> RunRecord:
    """Train, predict and score."""
    job, planned = order.runs[0].job, order.runs[0].planned
    spec, directory = job.spec, job.directory
    began = time.perf_counter()
    manifest = _manifest(order.manifest)
    cache = pixels(manifest, spec.dataset.image_size, spec.dataset.resize, job.paths.cache, job.machine.workers, None)
    rows = {split: np.flatnonzero(manifest.table["split"].to_numpy() == split) for split in ("train", "val", "test")}
    data = experiment.Data(
        cache.array, manifest.labels, rows["train"], rows["val"], rows["test"], manifest.classes, cache.key
    )
    machine = experiment.Machine(job.weights_path, job.paths.cache, job.machine.threads)
    seconds_pixels = time.perf_counter() - began
    result = experiment.run(spec, data, machine, on_epoch)
    scores = {}
    for split, probabilities in (("val", result.val), ("test", result.test)):
        predictions = _predictions(manifest, rows[split], probabilities)
        store.write_predictions(directory, planned.run_id, split, predictions)
        scores[split] = metrics.score_all(predictions)
    store.write_history(directory, planned.run_id, result.history)
    if job.machine.save_model:
        with store.replacing(store.run_directory(directory, planned.run_id) / "model.keras") as temporary:
            result.model.save(temporary)
    return planned.model_copy(
        update={
            "status": "ok",
            "test": scores["test"],
            "val": scores["val"],
            "class_weights": result.class_weights,
            "parameters": result.parameters,
            "notes": (*planned.notes, *result.notes),
            "environment": {
                **environment.describe(),
                "threads": job.machine.threads,
                "devices": settings.identity()["devices"],
            },
            "cost": Cost(
                epochs=result.epochs,
                best_epoch=result.best_epoch,
                seconds_pixels=seconds_pixels,
                seconds_features=result.seconds.features,
                seconds_train=result.seconds.train,
                seconds_predict=result.seconds.predict,
                seconds_input=result.seconds.input,
                seconds_total=0.0,
                path=result.path,
                stacked=1,
                batch_size_effective=spec.training.batch_size,
                peak_memory_mb=0.0,
            ),
        }
    )


def _predictions(manifest: Manifest, rows: np.ndarray, probabilities: np.ndarray) -> Predictions:
    """What the run said about the pictures of these rows."""
    table = manifest.table.iloc[rows]
    images, groups = table["pixels_sha256"].to_numpy(str), table["group"].to_numpy(str)
    return Predictions(images, groups, manifest.labels[rows], probabilities, manifest.classes)


@functools.lru_cache(maxsize=4)
def _manifest(path: Path) -> Manifest:
    """The sweep's manifest; the sweep never changes it while workers live."""
    return Manifest.read_csv(path)


def _failure(error: Exception) -> tuple[Status, Failure]:
    """The state that this error leaves a run in, and its sentence."""
    kind = type(error).__name__
    if kind == "Diverged" or isinstance(error, InvalidPredictions):
        return "diverged", Failure(kind=kind, message=str(error))
    if isinstance(error, MemoryError) or kind == "ResourceExhaustedError":
        message = "found too little memory for this model and batch; lower training.batch_size or dataset.image_size"
        return "oom", Failure(kind=kind, message=message)
    first = next((line for line in str(error).splitlines() if line.strip()), "no message; see the log")
    return "failed", Failure(kind=kind, message=first if len(str(error)) > 500 else str(error))


class _Peak:
    """The highest resident memory seen so far, in 10^6 bytes."""

    megabytes = 0.0


@contextmanager
def _peak_memory() -> Iterator[_Peak]:
    """Watch this process's resident memory, five times a second, while the block runs."""
    peak, process, over = _Peak(), psutil.Process(), threading.Event()

    def watch() -> None:
        while True:
            peak.megabytes = max(peak.megabytes, process.memory_info().rss / 1e6)
            if over.wait(0.2):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()
