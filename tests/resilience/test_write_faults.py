"""A full, broken or forbidden disk at any write: nothing half-written is taken for whole, nothing finished is lost."""

from __future__ import annotations

import errno
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from benchmark import publish, store, tracking
from benchmark.metrics import score_all
from benchmark.predictions import Predictions
from benchmark.records import Baseline, RunRecord
from benchmark.store import files, writing
from datasets.manifest import COLUMNS, REJECTED_COLUMNS, Manifest

FAULTS = (errno.ENOSPC, errno.EIO, errno.EACCES)


class Disk:
    """Counts the writes below a folder and lets one of them fail in its middle; test_refused_calls.py does the rest."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes = 0
        self._fails_at = -1
        self._fault = 0
        replacing = store.replacing

        @contextmanager
        def failing(path: Path) -> Iterator[Path]:
            self.writes += 1
            with replacing(path) as temporary:
                yield temporary
                if self.writes == self._fails_at:
                    with temporary.open("r+b") as file:  # what a full disk leaves
                        file.truncate(temporary.stat().st_size // 2)
                    raise OSError(self._fault, os.strerror(self._fault), str(path))

        for module in (store, files, writing):
            monkeypatch.setattr(module, "replacing", failing)

    def fail(self, at: int, fault: int) -> None:
        """Let the write with this number fail, counted from 1."""
        self.writes, self._fails_at, self._fault = 0, at, fault

    def mend(self) -> None:
        """Let every write be well."""
        self._fails_at = -1


def record(run_id: str, status: str = "ok") -> RunRecord:
    spec = Baseline(baseline="majority", dataset="drawn", image_size=0, fold=None)
    scores = score_all(predictions()) if status == "ok" else {}
    return RunRecord(
        run_id=run_id, candidate=run_id, sweep="drawn", spec=spec, fingerprint="f" * 64, classes=("a", "b"),
        status=status, primary="accuracy", test=scores, val=scores, command="python -m benchmark",  # type: ignore[arg-type]
    )  # fmt: skip


def predictions() -> Predictions:
    truth = np.arange(40) % 2
    guess = np.where(np.arange(40) % 4 > 0, truth, 1 - truth)
    images = np.array([f"{index:064x}" for index in range(40)])
    return Predictions(images, images, truth, np.where(np.eye(2)[guess] > 0, 0.9, 0.1).astype(np.float32), ("a", "b"))


def finish(directory: Path, run_id: str) -> None:
    """All that is written for one run, the record last, and then the board."""
    store.make_sweep_directory(directory)
    store.write_record(directory, record(run_id, "running"))
    store.write_predictions(directory, run_id, "val", predictions())
    store.write_predictions(directory, run_id, "test", predictions())
    store.write_history(directory, run_id, pd.DataFrame({"epoch": [1], "val_loss": [0.5]}))
    store.write_record(directory, record(run_id))
    publish.board(directory)


WRITES = 9
"""Of one run: five files and the four of the board."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", range(1, WRITES + 1))
def test_a_write_that_fails_costs_at_most_its_own_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, fault: int
) -> None:
    directory = tmp_path / "drawn"
    finish(directory, "first")
    disk = Disk(monkeypatch)
    disk.fail(at, fault)
    with pytest.raises(OSError, match=re.escape(os.strerror(fault))) as caught:
        finish(directory, "second")
    assert caught.value.errno == fault
    assert disk.writes == at
    disk.mend()
    survey = store.survey(directory)
    assert survey.broken == []
    states = {one.run_id: one.status for one in survey.records}
    assert states.pop("first") == "ok"
    assert states == ({} if at == 1 else {"second": "running"} if at <= 5 else {"second": "ok"})
    assert store.load_predictions(directory, "first").probabilities.shape == (40, 2)
    assert len(pd.read_csv(directory / "leaderboard.csv")) == (2 if at > 6 else 1)
    assert not list(directory.rglob("*.tmp*"))
    finish(directory, "second")
    assert {one.status for one in store.survey(directory).records} == {"ok"}
    assert len(publish.draw(directory).board.table) == 2


def test_the_number_of_writes_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    finish(tmp_path / "drawn", "first")
    assert disk.writes == WRITES


def test_a_file_cut_off_anywhere_is_never_taken_for_whole(tmp_path: Path) -> None:
    """As a power failure may leave it, whatever the file system promised."""
    directory = tmp_path / "drawn"
    finish(directory, "first")
    finish(directory, "second")
    run = store.run_directory(directory, "second")
    for name in ("record.json", *store.RESULT_FILES):
        content = (run / name).read_bytes()
        for share in (0.0, 0.1, 0.5, 0.9, 0.999):
            (run / name).write_bytes(content[: int(len(content) * share)])
            survey = store.survey(directory)
            assert [one.run_id for one in survey.records] == ["first"], (name, share)
            assert [one.run_id for one in survey.broken] == ["second"], (name, share)
        (run / name).write_bytes(content)
    assert store.survey(directory).broken == []


CALLS = ("create_run", "log_batch", "log_inputs", "log_artifacts", "set_terminated", "delete_run", "set_tag")


@pytest.mark.parametrize(("call", "fault"), list(zip(CALLS, FAULTS * 3, strict=False)))
def test_a_store_that_cannot_write_never_stops_the_sweep_and_gets_everything_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, fault: int, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "drawn"
    tracker = tracking.SweepTracker(None, tmp_path, "drawn", "drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, call, _refuse(fault))
        log_run(tracker, directory, "first")
        log_run(tracker, directory, "second")
        tracker.board(publish.board(directory).board)
        tracker.close("FINISHED")
    said = capsys.readouterr().err
    board = publish.draw(directory).board
    if call not in ("log_inputs", "delete_run"):  # there is no manifest to send again, and a first run deletes nothing
        assert "bench mlflow push" in said
    assert len(store.survey(directory).records) == 2
    tracking.push(None, directory, board)
    assert tracking.compare(None, directory, board) == []


def log_run(tracker: tracking.SweepTracker, directory: Path, run_id: str) -> None:
    row: dict[str, Any] = dict.fromkeys(COLUMNS, 1) | dict.fromkeys(("path", "label", "pixels_sha256", "group"), "a")
    table = pd.DataFrame([row | {"split": "test"}], columns=list(COLUMNS))
    manifest = Manifest(table, pd.DataFrame(columns=list(REJECTED_COLUMNS)), ("a", "b"), Path("/pictures"), ())
    tracker.start(record(run_id, "running"), manifest)
    tracker.epoch(run_id, {"epoch": 1, "val_loss": 0.5})
    finish(directory, run_id)
    tracker.finish(record(run_id), store.run_directory(directory, run_id))


def _refuse(fault: int) -> Callable[..., None]:
    def refuse(*values: object, **named: object) -> None:
        raise OSError(fault, os.strerror(fault), "mlflow.db")

    return refuse


WORDS = [
    "dataset=digits", "dataset.max_per_class=20", "backbone=shallownet", "training.epochs=1", "sweep.name=limited",
    "report.level=none", "machine.measure_latency=false", "machine.save_model=true",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # MLflow's, of a model
@pytest.mark.parametrize("kilobytes", [1, 400])
def test_a_whole_sweep_on_a_full_disk_says_so_and_the_same_command_finishes_it_later(
    run_sweep: Any, tmp_path: Path, kilobytes: int
) -> None:
    """No file may grow beyond the limit: results, caches, logs and MLflow's database meet a real refusal."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    words = [*WORDS, f"paths.results={tmp_path}"]
    command = [sys.executable, "-m", "benchmark", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, preexec_fn=limit)
    said = done.stdout + done.stderr
    assert done.returncode in (1, 2, 3), said
    assert "Traceback" not in said
    again = run_sweep(*words)
    assert again.code == 0, again.output + again.errors
    directory = tmp_path / "limited"
    survey = store.survey(directory)
    assert survey.broken == []
    assert {one.status for one in survey.records} == {"ok"}
    assert tracking.compare(None, directory, publish.draw(directory).board) == []
