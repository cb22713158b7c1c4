"""The results folder: what is written is what is read, and nothing half-written is taken for whole."""

from pathlib import Path

import numpy as np
import pytest

from benchmark import store
from benchmark.predictions import Predictions
from benchmark.records import Baseline, RunRecord


def record(run_id: str = "one", **changes: object) -> RunRecord:
    fields: dict[str, object] = {
        "run_id": run_id,
        "candidate": run_id,
        "sweep": "test",
        "spec": Baseline(baseline="majority", dataset="test", image_size=0, fold=None),
        "fingerprint": "f" * 64,
        "classes": ("a", "b"),
        "status": "ok",
        "primary": "accuracy",
        "test": {"accuracy": 0.5},
        "command": "python -m benchmark",
    }
    return RunRecord.model_validate({**fields, **changes})


def test_a_record_survives_the_disk(tmp_path: Path) -> None:
    store.make_sweep_directory(tmp_path)
    store.write_record(tmp_path, record("b"))
    store.write_record(tmp_path, record("a", status="pending"))
    assert store.load_records(tmp_path) == [record("a", status="pending"), record("b")]


def test_predictions_survive_the_disk(tmp_path: Path) -> None:
    images = np.array(["x", "y", "z"])
    written = Predictions(
        images,
        np.array(["g", "g", "h"]),
        np.array([0, 1, 1]),
        np.array([[0.25, 0.75], [1, 0], [0.1, 0.9]], np.float32),
        ("class, one", "Klasse zwei\n"),
    )
    store.make_sweep_directory(tmp_path)
    store.write_predictions(tmp_path, "run", "test", written)
    read = store.load_predictions(tmp_path, "run")
    assert read.classes == written.classes
    for name in ("images", "groups", "truth", "probabilities"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))


def test_a_truncated_record_is_named(tmp_path: Path) -> None:
    store.make_sweep_directory(tmp_path)
    store.write_record(tmp_path, record())
    path = tmp_path / "runs" / "one" / "record.json"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(store.BrokenRecord, match=r"record\.json.*delete the folder"):
        store.load_records(tmp_path)


def test_truncated_predictions_are_named(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    (run / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(store.BrokenRecord, match=r"predictions\.parquet"):
        store.load_predictions(tmp_path, "one")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    store.write_text(path, "old")

    def write_half() -> None:
        with store.replacing(path) as temporary:
            temporary.write_text("ha")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_half()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(store.NoSuchSweep, match="no folder"):
        store.load_records(tmp_path / "nowhere")
