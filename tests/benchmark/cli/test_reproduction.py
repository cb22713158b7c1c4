"""bench reproduce and the saved model: a real run gives the same numbers again, from its command and from MLflow."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from benchmark import store
from benchmark.cli import run
from benchmark.records import RunRecord
from benchmark.spec import RunSpec

LOAD = """
import json, sys
import mlflow.keras, numpy
from datasets.manifest import Manifest
from datasets.pixels import pixels
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.keras.load_model(f"runs:/{sys.argv[2]}/model", load_model_kwargs={"safe_mode": True})
folder = __import__("pathlib").Path(sys.argv[3])
manifest = Manifest.read_csv(folder / "manifest.csv")
found = pixels(manifest, 16, "squish", folder.parent / ".cache", 1, None).array
rows = numpy.flatnonzero(manifest.table["split"].to_numpy() == "test")
answers = model.predict(found[rows].astype("float32"), verbose=0)
example = mlflow.models.Model.load(f"runs:/{sys.argv[2]}/model")
print(json.dumps({"answers": answers.tolist(), "signature": str(example.signature)}))
"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep of one run, with its model."""
    results = tmp_path_factory.mktemp("reproduce")
    words = [
        sys.executable, "-m", "benchmark", "dataset=digits", "dataset.max_per_class=20", "dataset.image_size=16",
        "backbone=lenet", "training.epochs=2", "sweep.name=once", "machine.save_model=true", "report.level=none",
        "machine.measure_latency=false", f"paths.results={results}",
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return results / "once"


def the_run(sweep: Path) -> RunRecord:
    """The one run that is no baseline."""
    [record] = [record for record in store.load_records(sweep) if isinstance(record.spec, RunSpec)]
    return record


def test_a_run_comes_out_the_same_bit_for_bit(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = store.run_directory(sweep, the_run(sweep).run_id)
    assert run(["reproduce", str(folder)]) == 0
    assert "identical: all" in capsys.readouterr().out


def test_another_result_is_compared_with_the_interval(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder whose predictions were made by nobody: everything of class 0."""
    record = the_run(sweep)
    copy = tmp_path / "once"
    shutil.copytree(sweep, copy)
    first = store.load_predictions(copy, record.run_id)
    constant = np.zeros_like(first.probabilities)
    constant[:, 0] = 1
    store.write_predictions(copy, record.run_id, "test", type(first)(
        first.images, first.groups, first.truth, constant, first.classes
    ))  # fmt: skip
    store.write_record(copy, record)
    assert run(["reproduce", str(store.run_directory(copy, record.run_id))]) == 4
    said = capsys.readouterr().out
    assert "not identical" in said
    assert "outside the 95 % interval" in said


def test_what_cannot_be_reproduced_is_said_in_a_sentence(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = the_run(sweep)
    failed = tmp_path / "failed"
    store.make_sweep_directory(failed)
    store.write_record(failed, record.model_copy(update={"status": "failed"}))
    assert run(["reproduce", str(failed / "runs" / record.run_id)]) == 1
    assert "expected a finished one" in capsys.readouterr().err
    assert run(["reproduce", str(sweep)]) == 1
    assert "expected a run's folder" in capsys.readouterr().err
    other = record.model_copy(update={"command": "rm -r results"})
    store.make_sweep_directory(tmp_path / "other")
    store.write_record(tmp_path / "other", other)
    assert run(["reproduce", str(tmp_path / "other" / "runs" / record.run_id)]) == 1
    assert "expected python -m benchmark" in capsys.readouterr().err


def test_a_baseline_says_how_it_is_computed_again_and_that_is_so(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "once"
    shutil.copytree(sweep, copy)
    records = {record.run_id: record for record in store.load_records(copy)}
    [first, _] = [record for record in records.values() if not isinstance(record.spec, RunSpec)]
    folder = store.run_directory(copy, first.run_id)
    assert run(["reproduce", str(folder)]) == 1
    assert "missing baselines are computed with every sweep" in capsys.readouterr().err
    shutil.rmtree(folder)
    words = [*shlex.split(first.command)[1:], f"paths.results={tmp_path}", "tracking=none"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    again = {record.run_id: record for record in store.load_records(copy)}
    assert again[first.run_id].test == first.test
    assert again[first.run_id].environment["commit"] == first.environment["commit"]
    assert again[first.run_id].started
    assert the_run(copy).started == the_run(sweep).started


def test_mlflow_loads_the_model_and_it_says_the_same(sweep: Path) -> None:
    record = the_run(sweep)
    uri = f"sqlite:///{sweep.parent}/mlflow.db"
    client = MlflowClient(uri)
    [experiment] = [one for one in client.search_experiments() if one.name == "digits"]
    [found] = client.search_runs([experiment.experiment_id], f"tags.run_id = '{record.run_id}'")
    words = [sys.executable, "-c", LOAD, uri, found.info.run_id, str(sweep)]
    environ = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    before = store.load_predictions(sweep, record.run_id)
    np.testing.assert_allclose(np.array(loaded["answers"]), before.probabilities, atol=1e-5)
    assert "(-1, 16, 16, 3)" in loaded["signature"]
    assert run(["verify", str(sweep)]) == 0
