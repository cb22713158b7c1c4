"""bench doctor: what will go wrong is said before the sweep, with its remedy and exit code 1."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import asking
from benchmark.cli import run
from benchmark.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[3]


def examine(results: Path, *words: str) -> tuple[int, str]:
    """Exit code and output of `bench doctor WORDS` in a process of its own."""
    command = [sys.executable, "-c", "from benchmark.cli import main; main()", "doctor", f"paths.results={results}"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "plugins")}
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=300, check=False, env=environ)
    return done.returncode, done.stdout + done.stderr


def test_a_sweep_that_can_run_has_no_problem(tmp_path: Path) -> None:
    code, said = examine(tmp_path, "backbone=lenet,minivgg", "dataset.max_per_class=10", "dataset.image_size=16")
    assert code == 0, said
    assert re.search(r"^ok +backbone lenet at 16 px, weights none: a batch of \d+ took", said, re.MULTILINE)
    assert "backbone minivgg" in said
    assert "100 pictures in 10 classes" in said
    assert "mlflow.db will be made" in said
    assert not (tmp_path / "mlflow.db").exists()


def test_every_problem_is_found_in_one_go_and_the_rest_goes_on(tmp_path: Path) -> None:
    words = ["plugins=[faulty_backbones]", "backbone.name=killed,raising,tiny", f"dataset.root={tmp_path}/nowhere",
             "launcher.engine=ray", "launcher.ray.address=127.0.0.1:9"]  # fmt: skip
    code, said = examine(
        tmp_path, "dataset=folder", "dataset.image_size=16", "tracking.uri=http://u:secret@127.0.0.1:9", *words
    )
    assert code == 1
    problems = [line for line in said.splitlines() if line.startswith("PROBLEM")]
    assert any("cluster" in line and "127.0.0.1:9" in line for line in problems), said
    assert any("MLflow" in line and "->" in line for line in problems), said
    assert any("data " in line and "nowhere" in line for line in problems), said
    assert any("backbone killed" in line and "signal 9" in line for line in problems), said
    assert any("backbone raising" in line and "flux capacitor" in line for line in problems), said
    assert re.search(r"^ok +backbone tiny", said, re.MULTILINE), said
    assert "secret" not in said
    assert "Traceback" not in said


def test_a_mistake_in_the_words_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "backbone=lenett"]) == 1
    assert "did you mean 'lenet'" in capsys.readouterr().err


def test_the_words_of_a_sweep_give_its_jobs() -> None:
    jobs = asking.jobs(["-m", "backbone=lenet,minivgg", "seed=range(3)", "training.epochs=1"])
    assert {(job.spec.backbone.name, job.spec.seed) for job in jobs} == {
        (name, seed) for name in ("lenet", "minivgg") for seed in range(3)
    }
    assert {job.spec.training.epochs for job in jobs} == {1}
    assert len(asking.jobs(["experiment=quickstart"])) > 1
    with pytest.raises(ConfigurationError):
        asking.jobs(["seed=-1"])
