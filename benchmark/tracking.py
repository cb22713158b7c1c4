"""MLflow, and the only module that knows it. The planning process is its one writer, so that a run whose worker is
killed still ends with a true status.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from benchmark import environment
from benchmark.records import RunRecord
from benchmark.spec import AXES, RunSpec, flatten
from datasets.manifest import Manifest

STATUSES = {"ok": "FINISHED", "interrupted": "KILLED"}
SECONDS_BETWEEN_BATCHES = 2.0
LONGEST_PARAMETER = 500

# The first opening of a database tells the story of forty migrations.
for name in ("alembic", "mlflow"):
    logging.getLogger(name).setLevel(logging.WARNING)


class TrackingUnavailable(RuntimeError):
    """MLflow's server or database cannot be used."""


Arguments = ParamSpec("Arguments")
_TROUBLE = (MlflowException, SQLAlchemyError, OSError)


def _never_stops_the_sweep(
    method: Callable[Concatenate[SweepTracker, Arguments], None],
) -> Callable[Concatenate[SweepTracker, Arguments], None]:
    """The method; a store that fails in the middle of a sweep is said once and then left alone."""

    @functools.wraps(method)
    def guarded(tracker: SweepTracker, /, *values: Arguments.args, **named: Arguments.kwargs) -> None:
        if tracker.lost:
            return
        try:
            method(tracker, *values, **named)
        except _TROUBLE as error:
            tracker.lost = (
                f"MLflow takes no more runs ({_first_line(error)}); everything is kept in {tracker.results}, and the "
                "sweep goes on"
            )
            print(f"warning: {tracker.lost}", file=sys.stderr)  # noqa: T201

    return guarded


def default_uri(results: Path) -> str:
    """The database in the results folder."""
    return f"sqlite:///{results.absolute()}/mlflow.db"


class SweepTracker:
    """One sweep in MLflow: a parent run in the data set's experiment, and a child for every run."""

    def __init__(self, uri: str | None, results: Path, dataset: str, sweep: str) -> None:
        """Open or create the store, the experiment and the sweep's parent run.

        Raises:
            TrackingUnavailable: the store cannot be opened.
        """
        self.uri = uri or default_uri(results)
        self.results = results
        self.lost = ""
        self._sweep = sweep
        self._dataset = dataset
        self._run = ""
        self._waiting: list[Metric] = []
        self._sent = 0.0
        # Several processes that open a fresh database at once would break it.
        with FileLock(results / ".mlflow.lock"), _whole_or_absent(self.uri, results):
            self._client = MlflowClient(self.uri)
            self._experiment = self._open_experiment(dataset)
            self._end_orphans()
            self._parent = self._open_parent()

    @_never_stops_the_sweep
    def start(self, record: RunRecord, manifest: Manifest) -> None:
        """Open the run: parameters, tags and data set are there before the first epoch."""
        tags = {**self._tags(record), "mlflow.parentRunId": self._parent}
        created = self._client.create_run(self._experiment, tags=tags, run_name=_readable(record))
        self._run = created.info.run_id
        params = [Param(key, value) for key, value in parameters(record).items()]
        self._client.log_batch(self._run, params=params)
        self._client.log_inputs(self._run, [_dataset_input(self._dataset, manifest)])

    @_never_stops_the_sweep
    def epoch(self, row: dict[str, Any]) -> None:
        """One epoch's metrics; they are sent every few seconds, so that the user interface is live."""
        now = int(time.time() * 1000)
        numbers = {key: value for key, value in row.items() if key not in ("event", "epoch") and _is_number(value)}
        self._waiting += [Metric(key, float(value), now, int(row["epoch"])) for key, value in numbers.items()]
        if time.monotonic() - self._sent > SECONDS_BETWEEN_BATCHES:
            self._flush()

    @_never_stops_the_sweep
    def finish(self, record: RunRecord, directory: Path) -> None:
        """Close the run with its result, files and true status."""
        now = int(time.time() * 1000)
        self._waiting += [Metric(key, value, now, 0) for key, value in results(record).items() if _is_number(value)]
        self._flush()
        tags: dict[str, str] = {"status": record.status}
        if record.failure:
            tags |= {"failure": f"{record.failure.kind}: {record.failure.message}"[:LONGEST_PARAMETER]}
        self._client.log_batch(self._run, tags=[RunTag(key, value) for key, value in tags.items()])
        self._client.log_artifacts(self._run, str(directory))
        self._client.set_terminated(self._run, STATUSES.get(record.status, "FAILED"))

    @_never_stops_the_sweep
    def close(self, files: list[Path], status: str) -> None:
        """Close the sweep's parent run: FINISHED, FAILED or KILLED, with the leaderboard as artifact."""
        for file in files:
            if file.exists():
                self._client.log_artifact(self._parent, str(file))
        self._client.set_tag(self._parent, "status", status.lower())
        self._client.set_terminated(self._parent, status)

    def _flush(self) -> None:
        """Send the metrics that wait."""
        for begin in range(0, len(self._waiting), 1000):
            self._client.log_batch(self._run, metrics=self._waiting[begin : begin + 1000])
        self._waiting.clear()
        self._sent = time.monotonic()

    def _open_experiment(self, name: str) -> str:
        """The id of the data set's experiment; its files lie in the results folder unless a server keeps them."""
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = None if self.uri.startswith("http") else (self.results.absolute() / "mlartifacts" / name).as_uri()
        return str(self._client.create_experiment(name, artifact_location=location))

    def _open_parent(self) -> str:
        """The sweep's parent run: the one of an earlier call goes on."""
        where = f"tags.sweep = '{self._sweep}' and tags.kind = 'sweep'"
        for found in self._client.search_runs([self._experiment], where, max_results=1):
            self._client.update_run(found.info.run_id, status="RUNNING")
            for key, value in environment.process_identity().items():
                self._client.set_tag(found.info.run_id, key, value)
            return str(found.info.run_id)
        tags = {"sweep": self._sweep, "kind": "sweep", **environment.process_identity()}
        return str(self._client.create_run(self._experiment, tags=tags, run_name=self._sweep).info.run_id)

    def _end_orphans(self) -> None:
        """Mark as killed what a dead process of this host left running."""
        for run in self._client.search_runs([self._experiment], "attributes.status = 'RUNNING'", max_results=1000):
            if not environment.is_alive(run.data.tags):
                self._client.set_tag(run.info.run_id, "status", "interrupted")
                self._client.set_terminated(run.info.run_id, "KILLED")

    def _tags(self, record: RunRecord) -> dict[str, str]:
        """What runs are filtered and grouped by."""
        code = environment.code()
        tags = {"kind": "run" if isinstance(record.spec, RunSpec) else "baseline", "status": "running"}
        tags |= {"sweep": record.sweep, "run_id": record.run_id, "candidate": record.candidate}
        tags |= {axis: str(value) for axis, value in axes(record).items()}
        tags |= {"seed": str(record.seed), "fingerprint": record.fingerprint}
        tags |= {"commit": code["commit"], "dirty": str(code["dirty"]).lower(), "command": record.command}
        return tags | environment.process_identity()


@contextmanager
def _whole_or_absent(uri: str, results: Path) -> Iterator[None]:
    """Opening a store: what goes wrong is said, and no half-made database is left, which would be broken for ever."""
    database = results / "mlflow.db"
    fresh = uri == default_uri(results) and not database.exists()
    try:
        yield
    except _TROUBLE as error:
        if fresh:
            database.unlink(missing_ok=True)
        raise TrackingUnavailable(
            f"found no usable MLflow store at {_without_password(uri)} ({_first_line(error)}); expected a database or "
            "server that answers: correct tracking.uri, free some disk, or tracking=none for results/ alone"
        ) from error


class NoTracker:
    """Nothing but the results folder."""

    uri = None

    def start(self, record: RunRecord, manifest: Manifest) -> None:
        """Log nothing."""

    def epoch(self, row: dict[str, Any]) -> None:
        """Log nothing."""

    def finish(self, record: RunRecord, directory: Path) -> None:
        """Log nothing."""

    def close(self, files: list[Path], status: str) -> None:
        """Log nothing."""


def axes(record: RunRecord) -> dict[str, str]:
    """The names a person tells runs apart by."""
    if not isinstance(record.spec, RunSpec):
        return {"backbone": record.spec.baseline}
    names = {axis: getattr(record.spec, axis).name for axis in AXES}
    return {**names, "backbone": record.spec.backbone.application or record.spec.backbone.name}


def parameters(record: RunRecord) -> dict[str, str]:
    """The specification, flat and readable: `backbone`, `head`, ..., then `training.learning_rate` and the rest."""
    content = flatten(record.spec.model_dump(mode="json"))
    rest = {key: value for key, value in content.items() if value is not None and not key.endswith(".name")}
    return {key: str(value)[:LONGEST_PARAMETER] for key, value in {**axes(record), **rest}.items()}


def results(record: RunRecord) -> dict[str, float]:
    """Test and chosen validation metrics, size and cost, as MLflow metrics."""
    numbers: dict[str, float] = {f"test_{key}": value for key, value in record.test.items()}
    numbers |= {f"best_val_{key}": value for key, value in record.val.items()}
    if record.parameters:
        sizes = record.parameters.model_dump(exclude_none=True)
        numbers |= {f"parameters_{key}": value for key, value in sizes.items()}
    if record.cost:
        numbers |= {f"cost_{key}": value for key, value in record.cost.model_dump().items()}
    return numbers


def _dataset_input(name: str, manifest: Manifest) -> DatasetInput:
    """The data set as MLflow shows it: name, fingerprint, folder and counts."""
    profile = json.dumps(manifest.counts.to_dict())
    digest = manifest.fingerprint[:36]
    source = json.dumps({"root": str(manifest.root)})
    dataset = Dataset(name=name, digest=digest, source_type="local", source=source, profile=profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])


def _readable(record: RunRecord) -> str:
    """The name shown in the table of runs."""
    names = [value for value in axes(record).values() if value != "none"]
    return " ".join([*names, *([f"s{record.seed}"] if isinstance(record.spec, RunSpec) else ["baseline"])])


def _is_number(value: Any) -> bool:
    """Whether MLflow can store it as a metric."""
    return isinstance(value, int | float) and value == value and abs(value) != float("inf")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _without_password(uri: str) -> str:
    """The address without credentials."""
    scheme, separator, rest = uri.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
