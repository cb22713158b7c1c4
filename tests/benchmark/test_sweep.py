"""Whole sweeps: one in processes of its own, as a person starts it, the others by a worker that stays warm."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from mlflow import MlflowClient

from benchmark import claims, store
from benchmark.records import RunRecord
from benchmark.spec import RunSpec

PLUGINS = Path(__file__).resolve().parent.parent / "plugins"
SMALL = ["dataset.max_per_class=15", "training.epochs=2", "dataset.image_size=16"]
BARE = [*SMALL, "tracking=none", "report.level=none", "machine.measure_latency=false"]


class Ended(NamedTuple):
    """A command that has run."""

    code: int
    output: str
    errors: str


def run_benchmark(results: Path, *words: str) -> Ended:
    """`python -m benchmark WORDS` with its results in the given folder."""
    environ = {**os.environ, "PYTHONPATH": str(PLUGINS)}
    command = [
        sys.executable,
        "-m",
        "benchmark",
        *SMALL,
        "plugins=[faulty_backbones]",
        f"paths.results={results}",
        *words,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, env=environ)
    return Ended(done.returncode, done.stdout, done.stderr)


def records_by_backbone(directory: Path) -> dict[str, RunRecord]:
    """The records of a sweep in which every backbone runs once."""
    records = store.load_records(directory)
    return {record.spec.backbone.name: record for record in records if isinstance(record.spec, RunSpec)}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A sweep in which one candidate raises, one exits, one is killed, one diverges and one is well."""
    results = tmp_path_factory.mktemp("faulty")
    ended = run_benchmark(results, "-m", "sweep.name=faulty", "backbone.name=raising,exiting,killed,exploding,tiny")
    return results, ended


def test_a_sweep_with_failures_ends_with_exit_code_3(faulty: tuple[Path, Ended]) -> None:
    assert faulty[1].code == 3, faulty[1].errors
    assert "Traceback" not in faulty[1].output + faulty[1].errors


def test_every_failure_has_a_record_with_its_true_state(faulty: tuple[Path, Ended]) -> None:
    records = records_by_backbone(faulty[0] / "faulty")
    states = {name: record.status for name, record in records.items()}
    assert states == {
        "raising": "failed",
        "exiting": "crashed",
        "killed": "crashed",
        "exploding": "diverged",
        "tiny": "ok",
    }
    kinds = {name: record.failure.kind for name, record in records.items() if record.failure}
    assert kinds["raising"] == "ArithmeticError"
    assert kinds["exiting"] == "exit code 7"
    assert kinds["killed"] == "SIGKILL"


def test_the_log_of_a_failed_run_holds_the_traceback(faulty: tuple[Path, Ended]) -> None:
    record = records_by_backbone(faulty[0] / "faulty")["raising"]
    log = (store.run_directory(faulty[0] / "faulty", record.run_id) / "log.txt").read_text()
    assert "Traceback" in log
    assert "the flux capacitor is empty" in log


def test_every_candidate_has_a_row_on_the_board(faulty: tuple[Path, Ended]) -> None:
    board = pd.read_csv(faulty[0] / "faulty" / "leaderboard.csv")
    assert {"raising", "exiting", "killed", "exploding", "tiny"} <= set(board["backbone"])
    assert set(board["status"]) >= {"ok", "failed", "crashed", "diverged"}


def test_mlflow_holds_every_run_with_its_true_status(faulty: tuple[Path, Ended]) -> None:
    client = MlflowClient(f"sqlite:///{faulty[0]}/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'run'")
    states = {run.data.tags["backbone"]: run.info.status for run in runs}
    assert states == {
        "raising": "FAILED",
        "exiting": "FAILED",
        "killed": "FAILED",
        "exploding": "FAILED",
        "tiny": "FINISHED",
    }
    [well] = [run for run in runs if run.data.tags["backbone"] == "tiny"]
    assert client.get_metric_history(well.info.run_id, "val/loss")[-1].step == 2
    assert well.data.params["training.epochs"] == "2"
    assert well.inputs.dataset_inputs[0].dataset.name == "digits"
    assert {file.path for file in client.list_artifacts(well.info.run_id)} >= {"record.json", "predictions.parquet"}
    [parent] = client.search_runs([experiment.experiment_id], "tags.kind = 'sweep'")
    assert parent.info.status == "FAILED"
    candidate = client.get_run(well.data.tags["mlflow.parentRunId"])
    assert candidate.data.tags["kind"] == "candidate"
    assert candidate.data.metrics["test/accuracy"] == pytest.approx(well.data.metrics["test/accuracy"], abs=1e-6)
    assert candidate.data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_the_same_command_again_runs_only_what_is_missing(run_sweep: Any, faulty: tuple[Path, Ended]) -> None:
    results = faulty[0]
    before = (store.run_directory(results / "faulty", "x").parent).stat()
    names = "backbone.name=tiny,raising"
    ended = run_sweep(*SMALL, f"paths.results={results}", "sweep.name=faulty", names)
    assert ended.code == 3
    assert "2 runs: 1 finished, 1 failed -> again, 0 new" in ended.output
    assert (store.run_directory(results / "faulty", "x").parent).stat().st_ino == before.st_ino


def test_two_identical_sweeps_give_the_same_bytes(run_sweep: Any, tmp_path: Path) -> None:
    boards = []
    for name in ("first", "second"):
        words = [f"sweep.name={name}", "backbone=lenet", "weighting=none,balanced", "augmentation=flip"]
        ended = run_sweep(*BARE, f"paths.results={tmp_path}", *words)
        assert ended.code == 0, ended.output + ended.errors
        boards.append((tmp_path / name / "leaderboard.csv").read_bytes())
    assert boards[0] == boards[1]
    ended = run_sweep(*BARE, f"paths.results={tmp_path}", "sweep.name=third", "backbone.name=tiny")
    assert re.search("3 sweeps side by side in .* with 3 candidates", ended.output), (
        "a test set that is asked again wears out"
    )
    assert "sweeps side by side" not in (tmp_path / "second" / "leaderboard.md").read_text(), (
        "the same candidates again are not"
    )


def test_a_cache_above_its_limit_is_cut_after_the_sweep_and_the_next_sweep_is_right(
    run_sweep: Any, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        words = [f"sweep.name={name}", "backbone.name=tiny", "machine.cache_limit_gb=0.000001"]
        ended = run_sweep(*BARE, f"paths.results={tmp_path}", *words)
        assert ended.code == 0, ended.output + ended.errors
        assert "left the cache" in ended.output
    boards = [(tmp_path / name / "leaderboard.csv").read_bytes() for name in ("first", "second")]
    assert boards[0] == boards[1]


def test_every_run_has_a_page_with_its_layers_and_one_of_a_candidate_shows_where_it_looked(
    run_sweep: Any, tmp_path: Path
) -> None:
    ended = run_sweep(
        *SMALL, f"paths.results={tmp_path}", "sweep.name=pages", "backbone=lenet", "augmentation=flip", "seed=0,1"
    )
    assert ended.code == 0, ended.output + ended.errors
    assert list((tmp_path / "pages" / "figures").glob("*.svg"))
    runs = tmp_path / "pages" / "runs"
    first, second = (next(runs.glob(f"*-s{seed}-*")) for seed in (0, 1))
    for run in (first, second):
        assert "Flatten" in (run / "architecture.txt").read_text()
        assert (run / "augmentation.png").is_file()
        assert "as the run saw them in different epochs" in (run / "index.html").read_text()
    assert "HiResCAM" in (first / "index.html").read_text()
    assert f"../{first.name}/index.html#heat" in (second / "index.html").read_text()
    assert not (second / "gradcam.npz").exists()
    assert len(list(runs.glob("baseline-*/index.html"))) == 2
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    sent = client.search_runs([experiment.experiment_id], "tags.kind != 'sweep' and tags.kind != 'candidate'")
    assert len(sent) == 4
    for run in sent:
        page = Path(client.download_artifacts(run.info.run_id, "index.html", str(tmp_path)))
        assert '="../' not in page.read_text()


def test_one_folder_refuses_runs_on_other_pictures(run_sweep: Any, faulty: tuple[Path, Ended]) -> None:
    ended = run_sweep(
        *SMALL, f"paths.results={faulty[0]}", "sweep.name=faulty", "backbone.name=tiny", "dataset.split_seed=5"
    )
    assert ended.code == 5
    assert "choose another sweep.name" in ended.errors


def test_every_fold_is_a_run_and_every_picture_a_test_picture_once(run_sweep: Any, tmp_path: Path) -> None:
    words = ["sweep.name=folds", "backbone.name=tiny", "dataset.split=kfold", "dataset.folds=3"]
    ended = run_sweep(*BARE, f"paths.results={tmp_path}", *words)
    assert ended.code == 0, ended.output + ended.errors
    records = [record for record in store.load_records(tmp_path / "folds") if isinstance(record.spec, RunSpec)]
    assert len({record.candidate for record in records}) == 1
    tested = [store.load_predictions(tmp_path / "folds", record.run_id).images for record in records]
    assert len(records) == 3
    assert sorted(image for images in tested for image in images) == sorted({*tested[0], *tested[1], *tested[2]})
    board = pd.read_csv(tmp_path / "folds" / "leaderboard.csv")
    assert set(board["n_folds"]) == {3}


def test_runs_that_began_before_mlflow_refused_have_never_begun(run_sweep: Any, tmp_path: Path) -> None:
    words = ("backbone=shallownet", "seed=0,1", "report.level=none", f"paths.results={tmp_path}", "sweep.name=refused")
    ended = run_sweep(*words, "dataset.max_per_class=12", "training.epochs=1", "tracking.uri=http://127.0.0.1:9")
    assert ended.code == 1
    [sentence] = ended.errors.splitlines()
    assert sentence.startswith("error: found no usable MLflow store at http://127.0.0.1:9 ")
    records = store.survey(tmp_path / "refused").records
    assert len(records) == 2
    assert {record.status for record in records} <= {"pending", "ok"}, "the first may have ended by then"
    assert not any(claims.is_under_way(tmp_path / "refused", record) for record in records)
