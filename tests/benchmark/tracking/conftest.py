"""A small sweep's folder made by hand: real specs, drawn predictions, histories, a manifest and its board."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from mlflow import MlflowClient
from mlflow.entities import Run

from benchmark import config, publish, store
from benchmark.board.table import Leaderboard
from benchmark.jobs import Job
from benchmark.metrics import score_all
from benchmark.predictions import Predictions
from benchmark.records import Cost, Failure, RunRecord
from datasets.manifest import COLUMNS, REJECTED_COLUMNS, Manifest

CONF = Path(__file__).resolve().parents[3] / "conf"
CLASSES = ("a", "b")
COUNT = 40


class Folder(NamedTuple):
    """A sweep's folder and how runs get into it."""

    path: Path
    manifest: Manifest
    job: Job

    def record(self, seed: int, status: str = "running") -> RunRecord:
        """The record of a run that has not ended."""
        spec = self.job.spec.model_copy(update={"seed": seed})
        return RunRecord(
            run_id=spec.run_id(self.manifest.fingerprint),
            candidate=spec.candidate(self.manifest.fingerprint),
            sweep=self.path.name,
            spec=spec,
            fingerprint=self.manifest.fingerprint,
            classes=CLASSES,
            status=status,  # type: ignore[arg-type]
            primary="accuracy",
            command=f"python -m benchmark seed={seed}",
            started="2026-01-02T03:04:05+00:00",
        )

    def end(self, record: RunRecord) -> RunRecord:
        """Write a finished run's files, the record last."""
        predictions = draw(record.seed)
        scores = score_all(predictions)
        cost = Cost(
            epochs=2, best_epoch=2, seconds_pixels=0.1, seconds_features=0.0, seconds_train=1.0, seconds_predict=0.1,
            seconds_input=0.1, seconds_total=1.5, path="whole", stacked=1, batch_size_effective=8, peak_memory_mb=100.0,
        )  # fmt: skip
        ended = record.model_copy(update={"status": "ok", "test": scores, "val": scores, "cost": cost})
        for split in store.SPLIT_FILES:
            store.write_predictions(self.path, record.run_id, split, predictions)
        store.write_history(self.path, record.run_id, pd.DataFrame(self.epochs()))
        store.write_config(self.path, record.run_id, self.job.spec)
        store.write_record(self.path, ended)
        return ended

    def fail(self, record: RunRecord) -> RunRecord:
        """Write the record of a run that failed."""
        failure = Failure(kind="SIGKILL", message="found the worker gone")
        ended = record.model_copy(update={"status": "crashed", "failure": failure})
        store.write_record(self.path, ended)
        return ended

    def epochs(self) -> list[dict[str, float | int | str]]:
        """The rows that a run of two epochs reports."""
        return [{"epoch": number, "stage": "all", "val_loss": 1.0 / number} for number in (1, 2)]

    def board(self) -> Leaderboard:
        """The board, written."""
        return publish.board(self.path).board


def draw(seed: int) -> Predictions:
    """Right in three of four pictures."""
    truth = np.arange(COUNT) % 2
    guess = np.where((np.arange(COUNT) + seed) % 4 > 0, truth, 1 - truth)
    probabilities = np.where(np.eye(2)[guess] > 0, 0.9, 0.1).astype(np.float32)
    images = np.array([f"{index:064x}" for index in range(COUNT)])
    return Predictions(images, images, truth, probabilities, CLASSES)


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without experiments of ours; making one takes more than a second."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def folder(tmp_path: Path, fresh_database: Path) -> Folder:
    """The folder of the sweep `drawn`, without runs."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        words = ["dataset=folder", "dataset.root=/pictures", "backbone=lenet", "dataset.name=drawn"]
        [job] = config.to_jobs(config.without_machinery(compose("config", words)), words)
    rows = [
        dict.fromkeys(COLUMNS, 1)
        | {"path": f"{index}.png", "label": CLASSES[index % 2], "pixels_sha256": f"{index:064x}", "split": "test"}
        | {"format": "PNG", "sha256": f"{index:064x}", "phash": f"{index:016x}", "group": f"{index}"}
        for index in range(COUNT)
    ]
    manifest = Manifest(
        pd.DataFrame(rows, columns=list(COLUMNS)),
        pd.DataFrame(columns=list(REJECTED_COLUMNS)),
        CLASSES,
        Path("/pictures"),
        (),
    )
    path = tmp_path / "results" / "drawn"
    store.make_sweep_directory(path)
    manifest.to_csv(path / "manifest.csv")
    shutil.copyfile(fresh_database, path.parent / "mlflow.db")
    return Folder(path, manifest, job)


@pytest.fixture
def found(folder: Folder) -> Callable[[str], list[Run]]:
    """All undeleted MLflow runs of one kind in the database beside the folder."""

    def search(kind: str) -> list[Run]:
        client = MlflowClient(f"sqlite:///{folder.path.parent}/mlflow.db")
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(experiments, f"tags.kind = '{kind}'"))

    return search
