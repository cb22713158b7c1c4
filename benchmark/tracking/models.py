"""A saved Keras model as `mlflow.keras.load_model` takes it, put together without loading Keras."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from mlflow import pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import Schema, TensorSpec

from benchmark.records import RunRecord
from benchmark.spec import RunSpec

REQUIRED = ("keras", "tensorflow", "numpy")


@contextmanager
def packed(saved: Path, record: RunRecord) -> Iterator[Path]:
    """A folder in MLflow's format around the model.keras of a finished run; it is gone after the block.

    Its input is float32, N x size x size x 3, RGB, 0..255; its output N x C probabilities.
    """
    assert isinstance(record.spec, RunSpec)
    versions = record.environment.get("versions", {})
    size, classes = record.spec.dataset.image_size, len(record.classes)
    with tempfile.TemporaryDirectory(prefix="bench-model-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        shutil.copyfile(saved, folder / "data" / "model.keras")
        _write(folder / "data" / "keras_module.txt", "keras")
        requirements = [f"{package}=={versions[package]}" for package in REQUIRED if package in versions]
        _write(folder / "requirements.txt", "\n".join(requirements) + "\n")
        _write(folder / "python_env.yaml", _python_env(str(record.environment.get("python", "3.11"))))
        model = Model(
            signature=ModelSignature(
                inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, size, size, 3))]),
                outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, classes))]),
            ),
            saved_input_example_info=_example(folder, size),
            metadata={"classes": list(record.classes), "run_id": record.run_id},
        )
        options = {"keras_version": str(versions.get("keras", "")), "keras_backend": "tensorflow"}
        model.add_flavor("keras", data="data", save_exported_model=False, **options)
        pyfunc.add_to_model(model, loader_module="mlflow.keras", python_env="python_env.yaml")
        model.save(str(folder / "MLmodel"))
        yield folder


def _example(folder: Path, size: int) -> dict[str, str]:
    """Write a picture that grows brighter from left to right, 0..255, as the example of an input; say where it is."""
    row = np.linspace(0, 255, size, dtype=np.float32).round()
    picture = np.broadcast_to(row[None, None, :, None], (1, size, size, 3)).astype(int).tolist()
    _write(folder / "input_example.json", json.dumps(picture))
    _write(folder / "serving_input_example.json", json.dumps({"inputs": picture}))
    return {
        "artifact_path": "input_example.json",
        "type": "ndarray",
        "serving_input_path": "serving_input_example.json",
    }


def _python_env(version: str) -> str:
    return f"python: {version}\nbuild_dependencies: []\ndependencies:\n- -r requirements.txt\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
