"""Ledger: the runs of one sweep in MLflow, each run id there once, with its result and true status."""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from benchmark import environment, store
from benchmark.records import RunRecord
from benchmark.report.detached import detached
from benchmark.spec import RunSpec
from benchmark.tracking import artifacts, facts, models, signs
from benchmark.tracking.opening import Opened
from datasets.manifest import Manifest

METRICS_AT_ONCE = 1000
RUNS_AT_ONCE = 1000
SHOWN = (".csv", ".md", ".json", ".html")
"""Files of a sweep's folder that its run in MLflow shows."""


class Ledger:
    """One sweep in MLflow: a run for the sweep, and below it one for every run id; whatever fails is raised."""

    def __init__(self, opened: Opened, directory: Path) -> None:
        """The ledger of the sweep that is collected in this folder; nothing is written yet."""
        self.client: MlflowClient = opened.client
        self.experiment = opened.experiment
        self.directory = directory
        self.sweep_id = _sweep_id(directory)

    def open_parent(self, primary: str = "") -> str:
        """The MLflow id of the sweep's own run; that of an earlier call goes on."""
        found = self.parent()
        if found is not None:
            for sign in signs.silent(found.data.tags):
                self.client.delete_tag(found.info.run_id, sign)
            self.client.log_batch(found.info.run_id, tags=_tags(self.own_tags() | {"status": "running"} | signs.own()))
            self.client.update_run(found.info.run_id, status="RUNNING")
            return str(found.info.run_id)
        note = f"Everything that the sweep {self.directory.name} compared" + (f" by {primary}." if primary else ".")
        tags = {"kind": "sweep", "status": "running", facts.NOTE: note, **facts.SOURCE, **self.own_tags()}
        tags |= signs.own()
        created = self.client.create_run(self.experiment, tags=tags, run_name=self.directory.name)
        return str(created.info.run_id)

    def parent(self) -> Run | None:
        """The sweep's own run, if there is one."""
        return next(iter(self._search("tags.kind = 'sweep'")), None)

    def runs(self) -> dict[str, list[Run]]:
        """The MLflow runs of this sweep by our run id: one each, or several after a mishap."""
        found: dict[str, list[Run]] = {}
        for run in self._search("tags.kind != 'sweep' and tags.kind != 'candidate'"):
            found.setdefault(run.data.tags.get("run_id", ""), []).append(run)
        return found

    def candidates(self) -> dict[str, list[Run]]:
        """The MLflow runs that stand for candidates, by candidate."""
        found: dict[str, list[Run]] = {}
        for run in self._search("tags.kind = 'candidate'"):
            found.setdefault(run.data.tags.get("candidate", ""), []).append(run)
        return found

    def begin(self, record: RunRecord, parent: str, manifest: Manifest | None, tags: Mapping[str, str]) -> str:
        """The MLflow id of a new run: parameters, tags and data set are there before the first epoch."""
        everything = {**facts.identity_tags(record), **self.own_tags(), facts.PARENT: parent, "status": "running"}
        created = self.client.create_run(
            self.experiment,
            start_time=facts.milliseconds(record.started),
            tags={**everything, **tags},
            run_name=facts.readable(record),
        )
        run = str(created.info.run_id)
        self.client.log_batch(run, params=[Param(key, value) for key, value in facts.parameters(record).items()])
        if manifest is not None:
            spec = record.spec
            name = spec.dataset.name if isinstance(spec, RunSpec) else spec.dataset
            self._log_data_set(run, facts.dataset_input(name, manifest))
        return run

    def add(self, run: str, metrics: Sequence[Metric]) -> None:
        """Log metrics of a run that has begun."""
        for begin in range(0, len(metrics), METRICS_AT_ONCE):
            self.client.log_batch(run, metrics=metrics[begin : begin + METRICS_AT_ONCE])

    def end(self, run: str, stored: store.Stored, metrics: Sequence[Metric], ended: int) -> None:
        """Close the run with its result, files and true status; `ended` in milliseconds since 1970."""
        record = stored.record
        folder = store.run_directory(self.directory, record.run_id)
        own = [Metric(key, value, ended, 0) for key, value in facts.results(record).items()]
        self.add(run, [*metrics, *own])
        self._log_files(run, folder, record)
        # The checksum comes after everything else: a run that has it is whole.
        self.client.log_batch(run, tags=_tags(facts.ending_tags(record, stored.checksum)))
        self.client.set_terminated(run, facts.STATUSES.get(record.status, "FAILED"), end_time=ended)

    def send(self, stored: store.Stored, parent: str, manifest: Manifest | None) -> None:
        """Put a run that has ended there from what lies on disk, in place of whatever is known of it."""
        record = stored.record
        history = store.run_directory(self.directory, record.run_id) / "history.csv"
        run = self.begin(record, parent, manifest, {})
        seconds = record.cost.seconds_total if record.cost else 0.0
        began = facts.milliseconds(record.started)
        ended = began + int(seconds * 1000) if began else int(time.time() * 1000)
        epochs = facts.history_metrics(pd.read_csv(history), ended) if record.finished and history.exists() else []
        self.end(run, stored, epochs, ended)

    def is_whole(self, run: Run, stored: store.Stored) -> bool:
        """Whether MLflow holds this very record, with its true status."""
        status = facts.STATUSES.get(stored.record.status, "FAILED")
        return run.data.tags.get("record") == stored.checksum and run.info.status == status

    def has_file(self, run: Run, name: str) -> bool:
        """Whether MLflow has a file of this name beside the run's record."""
        return any(file.path == name for file in self.client.list_artifacts(run.info.run_id))

    def remove(self, runs: Sequence[Run]) -> None:
        """Move runs that were replaced to MLflow's deleted ones, from where they can be restored."""
        for run in runs:
            self.client.delete_run(run.info.run_id)

    def end_orphans(self) -> None:
        """Mark as killed what a dead process left running, in any sweep of the experiment."""
        where = "attributes.status = 'RUNNING'"
        for run in self.client.search_runs([self.experiment], where, max_results=RUNS_AT_ONCE):
            if not self.is_alive(run):
                self.client.set_tag(run.info.run_id, "status", "interrupted")
                self.client.set_terminated(run.info.run_id, "KILLED")

    def give_sign_of_life(self, parent: str) -> None:
        """Let other hosts know that this process is still at its runs."""
        self.client.log_batch(parent, tags=_tags(signs.own()))

    def is_alive(self, run: Run) -> bool:
        """Whether the process that is at the run lives: on this host, or by the signs that it gives from another.

        A sweep that is taken for dead by mistake closes its runs all the same, with their true status.
        """
        if environment.is_here(run.data.tags):
            return environment.is_alive(run.data.tags)
        sweeps = search(self.client, [self.experiment], "tags.kind = 'sweep'")
        sign = signs.name(run.data.tags)
        return any(sign in one.data.tags and sign not in signs.silent(one.data.tags) for one in sweeps)

    def close_parent(self, parent: str, status: str) -> None:
        """Close the sweep's own run with the files of its folder: boards, report, manifests; not those of its runs."""
        run = self.client.get_run(parent)
        for file in sorted(self.directory.iterdir()):
            if not file.is_file() or file.suffix not in SHOWN or file.name.startswith("."):
                continue
            # The manifest of a large data set is heavy, and one sweep has only one.
            expected = {file.name: store.file_checksum(file)} if file.name.startswith("manifest") else {}
            if not expected or any(artifacts.differences(self.client, run, expected)):
                self._log_file(parent, file)
        self.client.set_tag(parent, "status", status.lower())
        for sign in signs.own().keys() & run.data.tags.keys():
            self.client.delete_tag(parent, sign)
        self.client.set_terminated(parent, status)

    def manifest(self, record: RunRecord) -> Manifest | None:
        """The pictures of this run, if they are still told in the sweep's folder."""
        fold = record.spec.dataset.fold if isinstance(record.spec, RunSpec) else record.spec.fold
        names = ["manifest.csv"] if fold is None else [f"manifest-fold{fold}.csv", "manifest.csv"]
        path = next((self.directory / name for name in names if (self.directory / name).exists()), None)
        return _read_manifest(path, path.stat().st_mtime_ns) if path else None

    def _log_data_set(self, run: str, data: DatasetInput) -> None:
        try:
            self.client.log_inputs(run, [data])
        except MlflowException:
            # Another process was adding the same data set at this moment; now it is there.
            self.client.log_inputs(run, [data])

    def own_tags(self) -> dict[str, str]:
        """What every run that is made here carries: its sweep, and the process without which it is an orphan."""
        return {"sweep": self.directory.name, "sweep_id": self.sweep_id, **environment.process_identity()}

    def _search(self, where: str) -> list[Run]:
        """All runs of this sweep to which the condition applies, the newest first."""
        found = search(self.client, [self.experiment], f"tags.sweep_id = '{self.sweep_id}' and {where}")
        return [run for run in found if run.data.tags.get("sweep") == self.directory.name]

    def _log_files(self, run: str, folder: Path, record: RunRecord) -> None:
        """The run's files; a model as one that MLflow can load."""
        entries = sorted(folder.iterdir())
        if not any(entry.name == "model.keras" or entry.name.startswith(".") for entry in entries):
            self.client.log_artifacts(run, str(folder))
            for page in folder.glob("*.html"):
                self._log_file(run, page)
            return
        for entry in (entry for entry in entries if not entry.name.startswith(".")):
            if entry.name == "model.keras" and record.finished:
                with models.packed(entry, record) as model:
                    self.client.log_artifacts(run, str(model), "model")
            elif entry.is_dir():
                self.client.log_artifacts(run, str(entry), entry.name)
            else:
                self._log_file(run, entry)

    def _log_file(self, run: str, file: Path) -> None:
        """The file; a page so that it can be read without those beside it."""
        if file.suffix == ".html":
            self.client.log_text(run, detached(file), file.name)
        else:
            self.client.log_artifact(run, str(file))


def search(client: MlflowClient, experiments: list[str], where: str) -> list[Run]:
    """All runs of these experiments to which the condition applies, the newest first."""
    found: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs(experiments, where, max_results=RUNS_AT_ONCE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def remember_sweep(directory: Path, sweep_id: str) -> None:
    """Note in its folder what tells this sweep from all others on a shared server, whatever they are called."""
    store.write_text(directory / ".sweep-id", sweep_id + "\n")


def _sweep_id(directory: Path) -> str:
    """The sweep's noted identity; made once."""
    path = directory / ".sweep-id"
    directory.mkdir(parents=True, exist_ok=True)
    with FileLock(directory / ".sweep-id.lock"):
        if not path.exists():
            remember_sweep(directory, uuid.uuid4().hex)
        return path.read_text("utf-8").strip()


@functools.lru_cache(maxsize=4)
def _read_manifest(path: Path, changed: int) -> Manifest:
    return Manifest.read_csv(path)


def _tags(tags: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(key, value) for key, value in tags.items()]
