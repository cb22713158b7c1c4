import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.model import settings

CONFTEST = str(Path(__file__).with_name("conftest.py"))


def test_other_settings_need_another_process() -> None:
    held = settings._in_force[0]
    settings.configure(held)
    with pytest.raises(settings.SettingsMismatch, match="start another worker"):
        settings.configure(held._replace(threads=held.threads + 1))
    with pytest.raises(settings.SettingsMismatch, match="mixed_bfloat16"):
        settings.require(held._replace(mixed_precision="mixed_bfloat16"))


def test_a_net_learns_in_half_precision(tmp_path: Path) -> None:
    script = """
import runpy, sys, numpy as np
from pathlib import Path
tests = runpy.run_path(sys.argv[1])
tests["configure"](tests["SETTINGS"]._replace(mixed_precision="mixed_bfloat16"))
for finetune in ("full", "frozen"):
    spec = tests["make_spec"]("lenet", finetune=finetune, mixed_precision="mixed_bfloat16", epochs=6, batch_size=16)
    result = tests["carry_out"](spec, tests["draw"](), Path(sys.argv[2]))
    losses = result.history["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0] - 0.1, losses
    assert result.test.dtype == np.float32
    assert abs(result.test.sum(axis=1) - 1).max() < 1e-5
    assert result.model.build().get_layer("head_logits").compute_dtype == "float32"
    if finetune == "full":
        assert any(layer.compute_dtype == "bfloat16" for layer in result.model.build().layers)
"""
    done = subprocess.run([sys.executable, "-c", script, CONFTEST, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
