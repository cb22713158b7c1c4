"""Sweeps on launchers and machines that are not the planned one here: joblib, submitit, a cluster that shrinks."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import store
from benchmark.records import RunRecord
from benchmark.spec import RunSpec

HERE = Path(__file__).resolve().parent
PLUGINS = HERE.parent / "plugins"
# One run that does well and one that cannot: a learning rate of 1e38 diverges.
WORDS = ["dataset.max_per_class=15", "training.epochs=1", "dataset.image_size=16", "backbone=shallownet",
         "training.learning_rate=1e-3,1e38", "training.optimizer=sgd", "report.level=none", "sweep.name=s",
         "machine.measure_latency=false", "machine.threads=1"]  # fmt: skip


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
def test_exit_codes_of_other_processes_reach_the_command(package: str, launcher: list[str], tmp_path: Path) -> None:
    pytest.importorskip(package, reason="an extra")
    command = [sys.executable, "-m", "benchmark", "-m", *WORDS, *launcher, f"paths.results={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.count("rank ") == 1, "one board, after all runs"
    assert sorted(run.status for run in runs(tmp_path)) == ["diverged", "ok"]


def test_the_runs_of_a_lost_machine_are_done_by_another(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="an extra")
    sys.path.insert(0, str(HERE))
    try:
        script = importlib.import_module("lost_machine")
    finally:
        sys.path.remove(str(HERE))
    ended = script.lost_machine(tmp_path, seeds=5)
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
