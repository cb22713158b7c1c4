"""Pulling: a sweep's folder made again from what MLflow holds of it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from benchmark import store
from benchmark.tracking.artifacts import MODEL
from benchmark.tracking.ledger import remember_sweep, search
from benchmark.tracking.opening import open_store, whole_or_absent

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RUN_FILES = ("record.json", "predictions.parquet", "validation.parquet", "history.csv", "config.yaml", "log.txt")
SWEEP_FILE = re.compile(r"manifest(-fold\d+)?\.(csv|json)|quarantine\.csv")


class NotInMlflow(ValueError):
    """A sweep that the store does not hold, or holds several times."""


class FolderTaken(ValueError):
    """A folder that results cannot be put into."""


def pull(uri: str, sweep: str, directory: Path) -> list[str]:
    """Put every run of the sweep into the folder and return their ids; `sweep` is its name or its sweep_id.

    Only files that a sweep writes are taken, under the names that it gives them.

    Raises:
        TrackingUnavailable: the store cannot be used.
        NotInMlflow: there is no such sweep, or there are several of that name.
        FolderTaken: the folder is in use, or is not called like the sweep.
    """
    directory = directory.absolute()
    if directory.exists() and any(directory.iterdir()):
        raise FolderTaken(f"found files in {directory}; expected a new or empty folder: choose another")
    directory.parent.mkdir(parents=True, exist_ok=True)
    client = open_store(uri, directory.parent)
    with whole_or_absent(uri, directory.parent):
        parent = _find(client, sweep)
        name, sweep_id = parent.data.tags["sweep"], parent.data.tags["sweep_id"]
        if directory.name != name:
            raise FolderTaken(
                f"found the folder {directory.name} for the sweep {name}; expected the sweep's own name, so that its "
                f"command goes on there: {directory.parent / name}"
            )
        runs = _newest(search(client, [parent.info.experiment_id], f"tags.sweep_id = '{sweep_id}'"), name)
        store.make_sweep_directory(directory)
        for run_id, run in runs.items():
            _take(client, run, store.run_directory(directory, run_id))
        wanted = [file.path for file in client.list_artifacts(parent.info.run_id) if SWEEP_FILE.fullmatch(file.path)]
        for path in sorted(wanted):
            _download(client, parent.info.run_id, path, directory / path)
    remember_sweep(directory, sweep_id)
    return list(runs)


def _find(client: MlflowClient, sweep: str) -> Run:
    """The sweep's own run."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    everything = search(client, experiments, "tags.kind = 'sweep'")
    named = [run for run in everything if sweep in (run.data.tags.get("sweep"), run.data.tags.get("sweep_id"))]
    whole = [run for run in named if NAME.fullmatch(run.data.tags["sweep"])]
    whole = [run for run in whole if run.data.tags.get("sweep_id", "").isalnum()]
    if not whole:
        names = sorted({run.data.tags.get("sweep", "") for run in everything})
        raise NotInMlflow(f"found no sweep {sweep!r} in MLflow; expected one of: {', '.join(names[:20]) or 'none yet'}")
    if len({run.data.tags["sweep_id"] for run in whole}) > 1:
        choices = ", ".join(sorted(run.data.tags["sweep_id"] for run in whole))
        raise NotInMlflow(
            f"found {len(whole)} sweeps called {sweep}; expected one: give its sweep_id, one of {choices}"
        )
    return whole[0]


def _newest(runs: Sequence[Run], sweep: str) -> dict[str, Run]:
    """The newest ended run for each of our run ids."""
    ended = [run for run in runs if run.data.tags.get("sweep") == sweep and "record" in run.data.tags]
    return {run.data.tags["run_id"]: run for run in sorted(ended, key=lambda run: run.info.start_time)}


def _take(client: MlflowClient, run: Run, folder: Path) -> None:
    """Put the run's files into its folder, the record last."""
    there = {file.path: file.is_dir for file in client.list_artifacts(run.info.run_id)}
    for name in (*RUN_FILES[1:], *RUN_FILES[:1]):
        if there.get(name) is False:
            _download(client, run.info.run_id, name, folder / name)
    if there.get("model"):
        _download(client, run.info.run_id, MODEL, folder / "model.keras")


def _download(client: MlflowClient, run: str, path: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, store.replacing(target) as temporary:
        temporary.write_bytes(Path(client.download_artifacts(run, path, folder)).read_bytes())
