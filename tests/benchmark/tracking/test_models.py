"""A saved model in MLflow: its signature, its example, and that MLflow itself loads it in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from mlflow.models import Model

from benchmark.tracking import models

LOAD = """
import json, sys
import mlflow
import numpy as np
from mlflow.models import Model
example = Model.load(sys.argv[1]).load_input_example(sys.argv[1])
pixels = np.asarray(example, dtype="float32")
model = mlflow.keras.load_model(sys.argv[1], load_model_kwargs={"safe_mode": True})
served = mlflow.pyfunc.load_model(sys.argv[1]).predict(pixels)
given = model(pixels).numpy().tolist()
print(json.dumps({"shape": pixels.shape, "given": given, "served": np.asarray(served).tolist()}))
"""


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_mlflow_loads_the_model_in_another_process_and_it_predicts_as_before(folder: Any, tmp_path: Path) -> None:
    record = folder.record(0)
    size = record.spec.dataset.image_size
    layers = [keras.Input((size, size, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(2, activation="softmax")])
    model.save(tmp_path / "model.keras")
    with models.packed(tmp_path / "model.keras", record) as packed:
        described = Model.load(str(packed))
        assert described.signature is not None
        assert [one.shape for one in described.signature.inputs.inputs] == [(-1, size, size, 3)]
        assert [one.shape for one in described.signature.outputs.inputs] == [(-1, 2)]
        assert described.metadata == {"classes": ["a", "b"], "run_id": record.run_id}
        command = [sys.executable, "-c", LOAD, str(packed)]
        loaded = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    row = np.linspace(0, 255, size, dtype=np.float32).round()
    picture = np.broadcast_to(row[None, None, :, None], (1, size, size, 3))
    assert loaded["shape"] == [1, size, size, 3]
    np.testing.assert_allclose(loaded["given"], model(picture).numpy(), atol=1e-5)
    np.testing.assert_allclose(loaded["served"], loaded["given"], atol=1e-5)
    assert not packed.exists()
