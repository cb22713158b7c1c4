"""Sweeps on launchers and machines that are not the planned one here: joblib, submitit, a cluster that shrinks."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import store
from benchmark.cli import run as cli
from benchmark.records import RunRecord
from benchmark.spec import RunSpec

HERE = Path(__file__).resolve().parent
PLUGINS = HERE.parent / "plugins"
# One run that does well and one that cannot: a learning rate of 1e38 diverges.
WORDS = ["dataset.max_per_class=15", "training.epochs=1", "dataset.image_size=16", "backbone=shallownet",
         "training.learning_rate=1e-3,1e38", "training.optimizer=sgd", "report.level=none", "sweep.name=s",
         "machine.measure_latency=false", "machine.threads=1"]  # fmt: skip


def benchmark(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The sweep of these words, ended."""
    command = [sys.executable, "-m", "benchmark", "-m", *words]
    environ = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environ)


def runs(results: Path) -> list[RunRecord]:
    """The records without those of the baselines."""
    return [one for one in store.load_records(results / "s") if isinstance(one.spec, RunSpec)]


@pytest.mark.parametrize(
    ("package", "launcher"),
    [
        ("hydra_plugins.hydra_joblib_launcher", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]),
        ("hydra_plugins.hydra_submitit_launcher", ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"]),
    ],
)
def test_a_sweep_of_a_stock_launcher_is_planned_shown_and_tracked_as_one(
    package: str, launcher: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(package, reason="an extra")
    done = benchmark(*WORDS, *launcher, "report.level=full", f"paths.results={tmp_path}")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "warning" not in done.stdout + done.stderr
    assert done.stdout.count("2 runs: 0 finished, 2 new") == 1
    assert done.stdout.count(" finished, ") == 1, "one plan"
    assert done.stdout.count("rank ") == 1, "one board, after all runs"
    assert sorted(run.status for run in runs(tmp_path)) == ["diverged", "ok"]
    assert len(list((tmp_path / "s" / "runs").glob("shallownet*/index.html"))) == 1
    assert cli(["verify", str(tmp_path / "s")]) == 0, capfd.readouterr().out
    assert "and MLflow agree" in capfd.readouterr().out


def test_a_job_of_a_launcher_that_cannot_begin_is_told_with_its_log(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="an extra")
    (tmp_path / "half_there.py").write_text(
        "from os import environ\n"
        "if 'SUBMITIT_LOCAL_JOB_ID' in environ:\n"
        "    raise ImportError(f'not here, {environ.get(\"MLFLOW_TRACKING_PASSWORD\")}')\n"
    )
    words = [*WORDS, "plugins=[half_there]", "hydra/launcher=submitit_local", f"paths.results={tmp_path}"]
    done = benchmark(
        *words,
        "training.learning_rate=1e-3",
        "tracking=none",
        PYTHONPATH=str(tmp_path),
        MLFLOW_TRACKING_PASSWORD="hunter2",
    )
    assert done.returncode == 3, done.stderr
    assert "1 x not begun" in done.stdout
    told = [line for line in done.stderr.splitlines() if "began nothing" in line]
    assert len(told) == 1
    assert "found no plug-in 'half_there' (not here, None)" in told[0]
    log = Path(told[0].partition("(log: ")[2].removesuffix(")"))
    assert "half_there" in log.read_text("utf-8")


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_password_in_the_address_gets_into_no_file_of_a_stock_launcher(launcher: str, tmp_path: Path) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher", reason="an extra")
    words = [*WORDS, f"hydra/launcher={launcher}", f"paths.results={tmp_path}"]
    done = benchmark(*words, "tracking.uri=http://bob:hunter22@127.0.0.1:9")
    assert done.returncode == 1
    assert "MLFLOW_TRACKING_PASSWORD" in done.stderr
    assert "hunter22" not in done.stdout + done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"hunter22" in path.read_bytes()]


def test_the_runs_of_a_lost_machine_are_done_by_another(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="an extra")
    sys.path.insert(0, str(HERE))
    try:
        script = importlib.import_module("lost_machine")
    finally:
        sys.path.remove(str(HERE))
    ended = script.lost_machine(tmp_path, seeds=4)
    assert ended.code == 0, ended.said
    assert "went away" in ended.said
    assert ended.differing == [], ended.said


def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="an extra")
    words = [*WORDS, "hydra/launcher=ray", "launcher.ray.address=127.0.0.1:1", f"paths.results={tmp_path}"]
    command = [sys.executable, "-m", "benchmark", "-m", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "found no Ray cluster at launcher.ray.address=127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "s").exists(), "told before anything is written"
