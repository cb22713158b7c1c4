"""Records and MLflow hold the same: either can be made from the other, and every difference is named."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from benchmark import publish, store, tracking, whereabouts
from benchmark.cli import run
from benchmark.jobs import Tracking

Search = Callable[[str], list[Run]]


@pytest.fixture
def sent(folder: Any) -> Any:
    """A sweep of three finished runs and a crashed one, in MLflow."""
    for seed in (0, 1, 2):
        folder.end(folder.record(seed))
    folder.fail(folder.record(3))
    tracking.push(None, folder.path, folder.board())
    return folder


def bytes_below(directory: Path) -> dict[str, bytes]:
    """Every file that is not hidden, by its path."""
    files = [path for path in directory.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_a_folder_made_from_mlflow_is_the_same_byte_for_byte(sent: Any, tmp_path: Path) -> None:
    uri = tracking.default_uri(sent.path.parent)
    target = tmp_path / "elsewhere" / "drawn"
    assert run(["mlflow", "pull", uri, str(target), "--sweep", "drawn"]) == 0
    assert bytes_below(target) == bytes_below(sent.path)
    assert run(["verify", str(target), "--uri", uri]) == 0


def test_a_sweep_that_is_everywhere_the_same_is_verified(sent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(sent.path)]) == 0
    assert "4 runs: records and tables and MLflow agree" in capsys.readouterr().out


def test_pushing_again_sends_nothing(sent: Any, capsys: pytest.CaptureFixture[str], found: Search) -> None:
    before = {one.info.run_id for one in [*found("run"), *found("candidate"), *found("sweep")]}
    assert run(["mlflow", "push", str(sent.path)]) == 0
    assert "0 runs sent, 4 there already" in capsys.readouterr().out
    assert {one.info.run_id for one in [*found("run"), *found("candidate"), *found("sweep")]} == before


def test_a_changed_metric_in_mlflow_is_named_and_mended(
    sent: Any, found: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    client = MlflowClient(tracking.default_uri(sent.path.parent))
    [victim] = [one for one in found("run") if one.data.tags["seed"] == "1"]
    client.log_metric(victim.info.run_id, "test/accuracy", 0.99)
    assert run(["verify", str(sent.path)]) == 2
    said = capsys.readouterr().out
    assert f"{victim.data.tags['run_id']}: metric test/accuracy is 0.99 in MLflow, 0.75 in the record" in said
    assert run(["mlflow", "push", str(sent.path)]) == 0
    assert run(["verify", str(sent.path)]) == 0


def test_runs_that_mlflow_lacks_has_twice_or_otherwise_are_named_and_mended(sent: Any, found: Search) -> None:
    client = MlflowClient(tracking.default_uri(sent.path.parent))
    by_seed = {one.data.tags["seed"]: one for one in found("run")}
    client.delete_run(by_seed["0"].info.run_id)
    tags = {key: value for key, value in by_seed["1"].data.tags.items() if not key.startswith("mlflow")}
    client.create_run(by_seed["1"].info.experiment_id, tags=tags)
    client.set_terminated(by_seed["3"].info.run_id, "FINISHED")
    shutil.rmtree(Path(by_seed["2"].info.artifact_uri.removeprefix("file://")))
    ids = {seed: one.data.tags["run_id"] for seed, one in by_seed.items()}
    named = tracking.compare(None, sent.path, sent.board())
    assert named[:1] == [f"{ids['0']} is not in MLflow"]
    assert f"{ids['1']} is in MLflow 2 times" in named
    assert f"{ids['2']}: predictions.parquet is not in MLflow" in named
    assert f"{ids['3']}: its status in MLflow is FINISHED, that of the record is crashed (FAILED)" in named
    again = tracking.push(None, sent.path, sent.board())
    assert set(again.sent) == {ids["0"], ids["2"], ids["3"]}
    assert tracking.compare(None, sent.path, sent.board()) == []


def test_files_values_and_epochs_that_mlflow_holds_otherwise_are_named_and_mended(sent: Any, found: Search) -> None:
    client = MlflowClient(tracking.default_uri(sent.path.parent))
    runs = {one.data.tags["seed"]: one for one in found("run")}
    parquet, record = (
        artifact(runs[seed], name) for seed, name in (("0", "predictions.parquet"), ("1", "record.json"))
    )
    content = bytearray(parquet.read_bytes())
    content[len(content) // 2] ^= 1
    parquet.write_bytes(content)
    record.write_bytes(record.read_bytes().replace(b'"ok"', b'"no"'))
    client.log_param(runs["2"].info.run_id, "training.magic", "1")
    client.log_metric(runs["2"].info.run_id, "test/luck", 0.5)
    client.log_metric(runs["2"].info.run_id, "val/loss", 0.25, step=1)
    client.log_metric(runs["2"].info.run_id, "val/loss", 0.5, step=2)
    [sweep] = found("sweep")
    board = artifact(sweep, "leaderboard.csv")
    board.write_bytes(board.read_bytes().replace(b"0.75", b"0.95"))
    artifact(sweep, "manifest.csv").write_bytes(b"empty")
    ids = {seed: one.data.tags["run_id"] for seed, one in runs.items()}
    assert sorted(tracking.compare(None, sent.path, sent.board())) == sorted(
        [
            f"{ids['0']}: predictions.parquet in MLflow is another file than on disk",
            f"{ids['1']}: record.json in MLflow is another file than on disk",
            f"{ids['2']}: parameter training.magic is 1 in MLflow, but not in the record",
            f"{ids['2']}: metric test/luck is 0.5 in MLflow, but not in the record",
            f"{ids['2']}: metric val/loss has other epochs in MLflow than in history.csv, first at 1",
            "the sweep's leaderboard.csv in MLflow is another file than on disk",
            "the sweep's manifest.csv in MLflow is another file than on disk",
        ]
    )
    assert set(tracking.push(None, sent.path, sent.board()).sent) == {ids["0"], ids["1"], ids["2"]}
    assert tracking.compare(None, sent.path, sent.board()) == []


def artifact(run: Run, name: str) -> Path:
    """A file that MLflow keeps of the run."""
    return Path(run.info.artifact_uri.removeprefix("file://")) / name


def test_an_edited_manifest_and_an_edited_text_of_the_board_are_named(
    sent: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    text, manifest = sent.path / "leaderboard.md", sent.path / "manifest.csv"
    text.write_text(text.read_text("utf-8").replace(".750", ".950"), "utf-8", newline="")
    whole = manifest.read_bytes()
    manifest.write_bytes(whole.replace(b",test", b",val ", 1).replace(b",val ", b",val"))
    assert run(["verify", str(sent.path)]) == 2
    said = capsys.readouterr().out
    assert "leaderboard.md differs from what the records give" in said
    assert "manifest.csv does not fit the fingerprint" in said
    manifest.unlink()
    assert run(["verify", str(sent.path)]) == 2
    assert "manifest.csv is missing" in capsys.readouterr().out


def test_another_sweep_beside_this_one_changes_nothing_about_it(
    folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.end(folder.record(0))
    folder.board()
    whereabouts.note(folder.path, Tracking(enabled=False, uri=None))
    other = folder.path.parent / "other"
    other.mkdir()
    table = (folder.path / "leaderboard.csv").read_text("utf-8")
    (other / "leaderboard.csv").write_text(table.replace(folder.record(0).candidate, "another"), "utf-8", newline="")
    assert "have looked at this test set" in publish.draw(folder.path).texts["leaderboard.md"]
    assert run(["verify", str(folder.path)]) == 0, capsys.readouterr().out


def test_a_sweep_is_looked_for_where_it_was_sent(
    folder: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = folder.path.parent / "mlflow.db"
    elsewhere = f"sqlite:///{beside.rename(tmp_path / 'elsewhere.db')}"
    folder.end(folder.record(0))
    folder.board()
    assert run(["mlflow", "push", str(folder.path), "--uri", elsewhere]) == 0
    assert run(["verify", str(folder.path)]) == 0
    assert f"records and tables and MLflow at {elsewhere} agree" in capsys.readouterr().out
    assert run(["mlflow", "push", str(folder.path)]) == 0
    assert not beside.exists(), "sent to where it is tracked"
    assert run(["ui", str(folder.path.parent)]) == 1
    assert f"its sweeps are tracked at {elsewhere}" in capsys.readouterr().err


def test_a_sweep_that_is_not_tracked_does_not_miss_the_database_of_another(
    sent: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    untracked = sent.path.parent / "untracked"
    shutil.copytree(sent.path, untracked)
    whereabouts.note(untracked, Tracking(enabled=False, uri=None))
    assert run(["verify", str(untracked)]) == 0
    assert "agree; MLflow was not asked: the sweep is not tracked there" in capsys.readouterr().out


def test_the_noted_address_holds_no_password(folder: Any) -> None:
    whereabouts.note(folder.path, Tracking(enabled=True, uri="http://me:hunter2@127.0.0.1:9/mlflow?token=hunter3"))
    assert whereabouts.noted(folder.path) == Tracking(enabled=True, uri="http://127.0.0.1:9/mlflow")


def test_a_run_that_is_only_in_mlflow_is_named(sent: Any) -> None:
    record = sent.record(2)
    shutil.rmtree(store.run_directory(sent.path, record.run_id))
    [said] = [one for one in tracking.compare(None, sent.path, sent.board()) if record.run_id in one]
    assert said.startswith(f"{record.run_id} is in MLflow, but not in {sent.path}")


def test_an_edited_table_is_named_with_its_line_and_rebuilt(sent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = sent.path / "leaderboard.csv"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"0.75", b"0.95"))
    (sent.path / "runs.csv").unlink()
    assert run(["verify", str(sent.path)]) == 2
    said = capsys.readouterr().out
    assert "leaderboard.csv differs from what the records give, first in line 2" in said
    assert "runs.csv is missing" in said
    assert run(["rebuild", str(sent.path)]) == 0
    assert path.read_bytes() == whole
    assert run(["verify", str(sent.path)]) == 0


def test_damaged_predictions_are_named_and_the_rest_is_shown(sent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = sent.record(0).run_id
    path = store.run_directory(sent.path, run_id) / "predictions.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for command in ("verify", "rebuild", "leaderboard"):
        assert run([command, str(sent.path)]) == 2
        printed = capsys.readouterr()
        assert run_id in printed.out + printed.err
        assert "Traceback" not in printed.err
    assert f"({run_id})" in (sent.path / "leaderboard.md").read_text("utf-8")
    assert len(publish.draw(sent.path).board.table) == 1


@pytest.mark.parametrize("name", ["nothing", "dra'wn", "drawn'; DROP TABLE runs"])
def test_a_sweep_that_mlflow_does_not_hold_is_named(
    sent: Any, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = tracking.default_uri(sent.path.parent)
    assert run(["mlflow", "pull", uri, str(tmp_path / "x"), "--sweep", name]) == 1
    assert "expected one of: drawn" in capsys.readouterr().err


def test_a_store_cannot_lead_out_of_the_folder(sent: Any, found: Search, tmp_path: Path) -> None:
    client = MlflowClient(tracking.default_uri(sent.path.parent))
    client.set_tag(found("run")[0].info.run_id, "run_id", "../../outside")
    target = tmp_path / "elsewhere" / "drawn"
    assert run(["mlflow", "pull", tracking.default_uri(sent.path.parent), str(target), "--sweep", "drawn"]) == 2
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "elsewhere" / "outside").exists()


def test_a_folder_in_use_or_of_another_name_is_refused(
    sent: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = tracking.default_uri(sent.path.parent)
    assert run(["mlflow", "pull", uri, str(sent.path), "--sweep", "drawn"]) == 1
    assert run(["mlflow", "pull", uri, str(tmp_path / "other"), "--sweep", "drawn"]) == 1
    assert capsys.readouterr().err.count("error: found") == 2


def test_a_database_that_is_not_there_is_not_made(
    folder: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "typo.db"
    assert run(["mlflow", "pull", f"sqlite:///{missing}", str(tmp_path / "drawn"), "--sweep", "drawn"]) == 1
    assert "found no MLflow database" in capsys.readouterr().err
    assert not missing.exists()


def test_a_password_in_the_address_is_not_said(folder: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder.end(folder.record(0))
    folder.board()
    address = "http://me:hunter2@127.0.0.1:9/?token=hunter3"
    assert run(["verify", str(folder.path), "--uri", address]) == 1
    assert run(["mlflow", "push", str(folder.path), "--uri", address]) == 1
    printed = capsys.readouterr()
    assert "hunter" not in printed.out + printed.err


def test_the_database_itself_is_whole_after_all_this(sent: Any) -> None:
    connection = sqlite3.connect(sent.path.parent / "mlflow.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
