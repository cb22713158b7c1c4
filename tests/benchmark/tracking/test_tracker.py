"""MLflow holds each run id once, with its true status, whatever happened to the sweep or to the store."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from benchmark import environment, store, tracking
from benchmark.cli.ui import _newest
from benchmark.tracking import ledger as ledger_module
from benchmark.tracking import signs, views
from benchmark.tracking import tracker as tracker_module
from benchmark.tracking.opening import open_experiment

Search = Callable[[str], list[Run]]


@contextmanager
def broken(database: Path) -> Iterator[None]:
    """A database that refuses every run while the block runs: its table has another name."""
    for old, new in (("runs", "away"), ("away", "runs")):
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA legacy_alter_table=ON")
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")
        connection.close()
        if new == "away":
            yield


def open_tracker(folder: Any) -> tracking.SweepTracker:
    return tracking.SweepTracker(None, folder.path.parent, "drawn", "drawn")


def run_one(tracker: tracking.SweepTracker, folder: Any, seed: int) -> str:
    """A run from start to end, as a sweep tells it."""
    record = folder.record(seed)
    store.write_record(folder.path, record)
    tracker.start(record, folder.manifest)
    for row in folder.epochs():
        tracker.epoch(record.run_id, row)
    tracker.finish(folder.end(record), store.run_directory(folder.path, record.run_id))
    return record.run_id


def test_a_finished_run_is_there_with_parameters_epochs_metrics_and_files(folder: Any, found: Search) -> None:
    run_one(open_tracker(folder), folder, 0)
    [run] = found("run")
    client = MlflowClient(f"sqlite:///{folder.path.parent}/mlflow.db")
    assert run.info.status == "FINISHED"
    assert run.data.params["training.optimizer"] == "adam"
    assert run.data.metrics["test/accuracy"] == pytest.approx(0.75)
    assert [metric.value for metric in client.get_metric_history(run.info.run_id, "val/loss")] == [1.0, 0.5]
    names = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert names == {"record.json", "predictions.parquet", "validation.parquet", "history.csv", "config.yaml"}
    assert run.inputs.dataset_inputs[0].dataset.digest == folder.manifest.fingerprint[:36]
    assert "accuracy 0.7500" in run.data.tags["mlflow.note.content"]


def test_several_runs_may_be_open_at_once(folder: Any, found: Search) -> None:
    tracker = open_tracker(folder)
    records = [folder.record(seed) for seed in (0, 1)]
    for record in records:
        tracker.start(record, folder.manifest)
    for row in folder.epochs():
        tracker.epoch(records[0].run_id, {**row, "val_loss": 7.0})
        tracker.epoch(records[1].run_id, row)
    for record in records:
        tracker.finish(folder.end(record), store.run_directory(folder.path, record.run_id))
    last = {run.data.tags["run_id"]: run.data.metrics["val/loss"] for run in found("run")}
    assert last == {records[0].run_id: 7.0, records[1].run_id: 0.5}


def test_a_run_done_again_takes_the_place_of_the_earlier_one(folder: Any, found: Search) -> None:
    tracker = open_tracker(folder)
    record = folder.record(0)
    tracker.start(record, folder.manifest)
    tracker.finish(folder.fail(record), store.run_directory(folder.path, record.run_id))
    [failed] = found("run")
    assert (failed.info.status, failed.data.tags["failure"]) == ("FAILED", "SIGKILL: found the worker gone")
    run_one(open_tracker(folder), folder, 0)
    [run] = found("run")
    assert run.info.status == "FINISHED"
    assert run.info.run_id != failed.info.run_id


def test_a_run_that_ended_before_it_was_announced_is_sent_once_all_of_its_files_are_there(
    folder: Any, found: Search
) -> None:
    """Its record has its end, and its page is still being drawn, while another run has something sent."""
    early, other = folder.record(0), folder.record(1)
    ended = folder.end(early)
    tracker = tracking.SweepTracker(None, folder.path.parent, "drawn", "drawn", [early.run_id])
    tracker.finish(folder.end(other), store.run_directory(folder.path, other.run_id))  # nobody knows when it began
    run_one(tracker, folder, 2)
    assert early.run_id not in {run.data.tags["run_id"] for run in found("run")}
    page = store.run_directory(folder.path, early.run_id) / "index.html"
    page.write_text("<html><body>drawn</body></html>")
    tracker.finish(ended, page.parent)
    tracker.close("FINISHED")
    [run] = [run for run in found("run") if run.data.tags["run_id"] == early.run_id]
    client = MlflowClient(f"sqlite:///{folder.path.parent}/mlflow.db")
    assert "index.html" in {file.path for file in client.list_artifacts(run.info.run_id)}
    assert len(found("run")) == 3


def test_what_is_expected_and_never_handed_in_is_sent_at_the_end(folder: Any, found: Search) -> None:
    record = folder.record(0)
    folder.end(record)
    tracker = tracking.SweepTracker(None, folder.path.parent, "drawn", "drawn", [record.run_id])
    assert found("run") == []
    tracker.close("FINISHED")
    assert [run.data.tags["run_id"] for run in found("run")] == [record.run_id]


def test_what_a_killed_sweep_left_is_put_right_at_the_next_start(folder: Any, found: Search) -> None:
    """Killed after the first record was written, before MLflow was told, and in the middle of the second run."""
    done, half = folder.record(0), folder.record(1)
    script = (
        "import os, sys; from pathlib import Path; from benchmark import store, tracking\n"
        "from datasets.manifest import Manifest\n"
        f"folder = Path({str(folder.path)!r})\n"
        "tracker = tracking.SweepTracker(None, folder.parent, 'drawn', 'drawn')\n"
        "manifest = Manifest.read_csv(folder / 'manifest.csv')\n"
        "for record in store.load_records(folder): tracker.start(record, manifest)\n"
        "os._exit(9)\n"
    )
    for record in (done, half):
        store.write_record(folder.path, record)
    subprocess.run([sys.executable, "-c", script], check=False, timeout=120)
    assert [run.info.status for run in found("run")] == ["RUNNING", "RUNNING"]
    folder.end(done)
    open_tracker(folder)
    states = {run.data.tags["run_id"]: run.info.status for run in found("run")}
    assert states == {done.run_id: "FINISHED", half.run_id: "KILLED"}


def test_a_run_of_another_living_sweep_is_left_alone(folder: Any, found: Search) -> None:
    tracker = open_tracker(folder)
    record = folder.record(0)
    tracker.start(record, folder.manifest)
    folder.end(record)
    script = (
        "from pathlib import Path; from benchmark import tracking\n"
        f"tracking.SweepTracker(None, Path({str(folder.path.parent)!r}), 'drawn', 'drawn')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    [run] = found("run")
    assert run.info.status == "RUNNING"
    assert run.data.tags["pid"] == environment.process_identity()["pid"]


def test_a_step_of_the_clock_kills_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = environment.process_identity()
    assert environment.is_alive(identity)
    monkeypatch.setattr(psutil, "boot_time", lambda: 1.0)
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: 2.0)
    assert environment.is_alive(identity)
    assert not environment.is_alive({**identity, "born": "1"})
    assert not environment.is_alive({**identity, "boot": "another"})
    assert not environment.is_alive({**identity, "pid": str(2**22 + 1)})


def test_without_proc_a_process_is_known_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "Path", lambda name: Path("/nowhere"))
    environment.process_identity.cache_clear()
    identity = environment.process_identity()
    monkeypatch.undo()
    environment.process_identity.cache_clear()
    assert identity["boot"] == str(int(psutil.boot_time()))
    assert identity["born"] == f"{psutil.Process().create_time():.2f}"


@pytest.mark.parametrize(("silence", "status"), [(60, "RUNNING"), (3600, "KILLED")])
def test_a_sweep_of_another_host_is_alive_while_it_gives_signs(
    silence: int, status: str, folder: Any, found: Search, tmp_path: Path
) -> None:
    client = MlflowClient(tracking.default_uri(folder.path.parent))
    tracker = open_tracker(folder)
    tracker.start(folder.record(0), folder.manifest)
    [sweep], [run] = found("sweep"), found("run")
    [sign] = [key for key in sweep.data.tags if key.startswith(signs.PREFIX)]
    client.set_tag(run.info.run_id, "host", "elsewhere")
    client.set_tag(sweep.info.run_id, "host", "elsewhere")
    client.delete_tag(sweep.info.run_id, sign)
    there = sign.replace(environment.process_identity()["host"], "elsewhere")
    client.set_tag(sweep.info.run_id, there, str(int(time.time()) - silence))
    tracking.SweepTracker(None, folder.path.parent, "drawn", "another")
    assert [one.info.status for one in found("run")] == [status]


def test_a_living_sweep_gives_signs_until_it_ends(folder: Any, found: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signs, "SECONDS_BETWEEN", 0.05)
    given = threading.Event()
    monkeypatch.setattr(ledger_module.Ledger, "give_sign_of_life", lambda ledger, parent: given.set())
    tracker = open_tracker(folder)
    assert given.wait(60)
    run_one(tracker, folder, 0)
    tracker.close("FINISHED")
    assert not [key for key in found("sweep")[0].data.tags if key.startswith(signs.PREFIX)]


def test_a_run_whose_epochs_came_twice_has_those_of_its_history(folder: Any, found: Search) -> None:
    tracker = open_tracker(folder)
    record = folder.record(0)
    tracker.start(record, folder.manifest)
    for row in [{"epoch": number, "val_loss": 9.0} for number in (1, 2, 3)] + folder.epochs():
        tracker.epoch(record.run_id, row)
    tracker.finish(folder.end(record), store.run_directory(folder.path, record.run_id))
    tracker.board(folder.board())
    tracker.close("FINISHED")
    assert len(found("run")) == 1
    assert tracking.compare(None, folder.path, folder.board()) == []


def test_every_candidate_has_a_run_with_its_interval_above_its_seeds(folder: Any, found: Search) -> None:
    tracker = open_tracker(folder)
    for seed in (0, 1):
        run_one(tracker, folder, seed)
    board = folder.board()
    for _ in range(2):  # the second time nothing is new
        tracker.board(board)
    tracker.close("FINISHED")
    [candidate], [sweep] = found("candidate"), found("sweep")
    row = board.table.iloc[0]
    assert candidate.data.metrics["test/accuracy_low"] == pytest.approx(row["test_accuracy_low"])
    assert candidate.data.metrics["place/rank_high"] == row["rank_high"]
    assert candidate.data.tags["n_seeds"] == "2"
    first = list(candidate.data.metrics)[:3]
    assert first == ["mean/accuracy", "mean/accuracy_low", "mean/accuracy_high"], "what MLflow compares by"
    assert candidate.data.tags["mlflow.parentRunId"] == sweep.info.run_id
    assert {run.data.tags["mlflow.parentRunId"] for run in found("run")} == {candidate.info.run_id}
    assert sweep.info.status == "FINISHED"
    assert candidate.info.run_name == "lenet"
    assert {run.info.run_name for run in found("run")} == {"seed 0 · lenet", "seed 1 · lenet"}
    lasted = [run.info.end_time - run.info.start_time for run in found("run")]
    assert candidate.info.end_time - candidate.info.start_time == sum(lasted)
    assert sweep.data.metrics["runs/finished"] == 2
    assert sweep.data.metrics["best/accuracy"] == pytest.approx(row["test_accuracy"])
    for one in (candidate, sweep):
        [used] = one.inputs.dataset_inputs
        assert used.dataset.digest == folder.manifest.fingerprint[:36]
    client = MlflowClient(f"sqlite:///{folder.path.parent}/mlflow.db")
    files = {file.path for file in client.list_artifacts(sweep.info.run_id)}
    assert files >= {"leaderboard.csv", "runs.csv", "manifest.csv", "manifest.json"}


def test_a_candidate_that_failed_says_why_once_however_many_seeds_it_has(folder: Any, found: Search) -> None:
    tracker = open_tracker(folder)
    for seed in (0, 1):
        record = folder.record(seed)
        tracker.start(record, folder.manifest)
        tracker.finish(folder.fail(record), store.run_directory(folder.path, record.run_id))
    tracker.board(folder.board())
    tracker.close("FAILED")
    [candidate], [sweep] = found("candidate"), found("sweep")
    assert candidate.info.status == "FAILED"
    assert candidate.data.tags["mlflow.note.content"].endswith("- 2 x SIGKILL: found the worker gone")
    assert sweep.data.metrics["runs/without_result"] == 2


def test_a_long_board_is_told_in_whole_lines(folder: Any, found: Search) -> None:
    tracker = open_tracker(folder)
    run_one(tracker, folder, 0)
    sentences = tuple(f"Sentence {number}: {'x' * 90}." for number in range(200))
    tracker.board(dataclasses.replace(folder.board(), sentences=sentences))
    [sweep] = found("sweep")
    note = sweep.data.tags["mlflow.note.content"]
    assert len(note) <= 5000
    assert "leaderboard.md" in note.splitlines()[-1]
    assert all(line.endswith("x.") for line in note.splitlines()[:-2])


def test_a_store_that_fails_for_a_while_misses_nothing(
    folder: Any, found: Search, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker_module, "SECONDS_OF_REST", 0.0)
    tracker = open_tracker(folder)
    run_one(tracker, folder, 0)
    database = folder.path.parent / "mlflow.db"
    with broken(database):
        run_one(tracker, folder, 1)
        record = folder.record(2)
        tracker.start(record, folder.manifest)
    assert capsys.readouterr().err.count("warning: MLflow does not answer") == 1
    tracker.finish(folder.end(record), store.run_directory(folder.path, record.run_id))
    run_one(tracker, folder, 3)
    tracker.board(folder.board())
    tracker.close("FINISHED")
    assert capsys.readouterr().err == ""
    assert [run.info.status for run in found("run")] == ["FINISHED"] * 4
    assert tracking.compare(None, folder.path, folder.board()) == []


def test_a_store_that_stays_away_is_said_with_the_command_that_mends_it(
    folder: Any, found: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker = open_tracker(folder)
    with broken(folder.path.parent / "mlflow.db"):
        run_one(tracker, folder, 0)
        folder.board()
        tracker.close("FINISHED")
    assert f"bench mlflow push {folder.path}" in capsys.readouterr().err
    assert found("run") == []
    sent = tracking.push(None, folder.path, folder.board())
    assert (len(sent.sent), sent.present) == (1, 0)
    assert tracking.push(None, folder.path, folder.board()) == tracking.Sent([], 1, 0)
    assert tracking.compare(None, folder.path, folder.board()) == []


def test_a_board_that_comes_while_the_store_rests_is_there_in_the_end(folder: Any, found: Search) -> None:
    tracker = open_tracker(folder)
    run_one(tracker, folder, 0)
    tracker.lose("a moment ago")
    tracker.board(folder.board())
    assert found("candidate") == []
    tracker.close("FINISHED")
    assert len(found("candidate")) == 1
    assert tracking.compare(None, folder.path, folder.board()) == []


def test_two_sweeps_of_one_name_in_one_store_keep_their_runs(folder: Any, found: Search, tmp_path: Path) -> None:
    uri = tracking.default_uri(folder.path.parent)
    run_one(open_tracker(folder), folder, 0)
    elsewhere = folder._replace(path=tmp_path / "elsewhere" / "drawn")
    store.make_sweep_directory(elsewhere.path)
    run_one(tracking.SweepTracker(uri, elsewhere.path.parent, "drawn", "drawn"), elsewhere, 0)
    assert len(found("run")) == 2
    assert len(found("sweep")) == 2


def test_credentials_are_never_said(folder: Any, tmp_path: Path) -> None:
    with pytest.raises(tracking.TrackingUnavailable) as caught:
        tracking.SweepTracker("http://someone:hunter2@127.0.0.1:9", folder.path.parent, "drawn", "drawn")
    assert "hunter2" not in str(caught.value)
    assert "someone" not in str(caught.value)
    assert "127.0.0.1:9" in str(caught.value)


def test_a_database_is_in_wal_mode_so_that_readers_do_not_hold_up_writers(folder: Any) -> None:
    open_tracker(folder)
    connection = sqlite3.connect(folder.path.parent / "mlflow.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_candidate_that_another_sweep_is_writing_is_no_orphan(folder: Any, found: Search) -> None:
    tracker = open_tracker(folder)
    run_one(tracker, folder, 0)
    tracker.board(folder.board())
    [candidate] = found("candidate")
    client = MlflowClient(tracking.default_uri(folder.path.parent))
    client.update_run(candidate.info.run_id, status="RUNNING")
    tracking.SweepTracker(None, folder.path.parent, "drawn", "another")
    assert found("candidate")[0].info.status == "RUNNING"


def test_the_table_of_mlflow_opens_with_metrics(folder: Any, found: Search) -> None:
    """The view that `bench ui` names is kept with the experiment, and its columns are there."""
    tracker = open_tracker(folder)
    run_one(tracker, folder, 0)
    tracker.board(folder.board())
    uri = tracking.default_uri(folder.path.parent)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("drawn")
    view = json.loads(experiment.tags[views.TAG])
    columns = set(view["selectedColumns"])
    [candidate] = client.search_runs([experiment.experiment_id], view["searchFilter"])
    assert candidate.data.tags["kind"] == "candidate"
    known = {f"metrics.`{name}`" for name in candidate.data.metrics} | {
        f"params.`{name}`" for name in candidate.data.params
    }
    assert columns - known == {"metrics.`parameters/trainable`"}, "the drawn runs have no size"
    assert {"params.`backbone`", "metrics.`mean/accuracy_low`", "metrics.`place/rank_high`"} < columns
    assert view["orderByKey"] in columns
    assert view["orderByAsc"] is False
    database = folder.path.parent / "mlflow.db"
    assert _newest(database).endswith("runs?workflowType=machine_learning&viewStateShareKey=bench")
    client.delete_experiment_tag(experiment.experiment_id, views.TAG)
    assert _newest(database).endswith("runs?workflowType=machine_learning")
    open_experiment(uri, folder.path.parent, "drawn")
    assert views.TAG in client.get_experiment_by_name("drawn").tags
