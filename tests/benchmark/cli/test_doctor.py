"""bench doctor: what will go wrong is said before the sweep, with its remedy and exit code 1."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmark import asking, doctor, rehearsals
from benchmark.cli import run
from benchmark.crew.reach import ClusterUnavailable, require_cluster
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
    assert re.search(r"^(ok|warning) +GPU: ", said, re.MULTILINE), said


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


@pytest.mark.parametrize(
    ("devices", "named", "allowed", "state", "said"),
    [
        (["CPU", "GPU"], ["H200"], 1, "ok", "H200"),
        (["CPU"], ["H200", "H200"], 2, "warning", "TensorFlow finds none"),
        (["CPU"], ["H200"], 0, "ok", "CUDA_VISIBLE_DEVICES hides H200"),
        (["CPU"], [], 0, "ok", "none: the CPU trains"),
    ],
)
def test_a_gpu_is_one_that_tensorflow_finds(
    devices: list[str], named: list[str], allowed: int, state: str, said: str
) -> None:
    finding = rehearsals.devices_finding(devices, named, allowed)
    assert finding.state == state
    assert said in finding.text
    assert bool(finding.remedy) == (state != "ok")


@pytest.mark.parametrize(
    ("own", "files", "free"),
    [
        ("0::/job/step\n", {"job/memory.max": "5000", "job/memory.current": "4000", "job/memory.stat": "x 1\n"}, 1000),
        ("0::/\n", {"memory.max": "5000", "memory.current": "4000", "memory.stat": "inactive_file 500\n"}, 1500),
        ("0::/\n", {"memory.max": "5000", "memory.current": "6000", "memory.stat": ""}, 0),
        ("0::/\n", {"memory.max": "max", "memory.current": "4000", "memory.stat": ""}, None),
        (
            "9:name=systemd:/\n4:cpuset,memory:/slurm/job\n",
            {
                "memory/slurm/job/memory.limit_in_bytes": "7000",
                "memory/slurm/job/memory.usage_in_bytes": "4000",
                "memory/slurm/job/memory.stat": "inactive_file 9\ntotal_inactive_file 70\n",
            },
            3070,
        ),
        ("0::/nowhere\n", {}, None),
    ],
)
def test_free_memory_is_that_of_the_container_or_the_slurm_job(
    own: str, files: dict[str, str], free: int | None, tmp_path: Path
) -> None:
    (tmp_path / "own").write_text(own)
    for name, content in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(content)
    found = doctor.free_memory(tmp_path / "own", tmp_path / "groups")
    assert found == free if free is not None else found > 10**6


def test_a_cluster_that_auto_stands_for_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="an extra")
    monkeypatch.setattr(psutil, "process_iter", lambda names: iter(()))  # other tests may have a head running
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(ClusterUnavailable, match=r"address=auto \(no RAY_ADDRESS, no head .* expected .*ray start"):
        require_cluster("auto")
    note = tmp_path / "ray" / "ray_current_cluster"
    note.parent.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as head:
        note.write_text(f"127.0.0.1:{head.getsockname()[1]}\n")
        require_cluster("auto")
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
        with pytest.raises(ClusterUnavailable, match=r"address=auto \(127\.0\.0\.1:9: "):
            require_cluster("auto")
        monkeypatch.delenv("RAY_ADDRESS")
    with pytest.raises(ClusterUnavailable, match=r"address=auto \(127\.0\.0\.1:\d+: "):
        require_cluster("auto")


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
