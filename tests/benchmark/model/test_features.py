import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmark.model import classifier, features, settings
from benchmark.model.experiment import Data, Machine, run
from benchmark.spec import RunSpec

SpecOf = Callable[..., RunSpec]
Draw = Callable[..., Data]


@pytest.fixture(scope="module")
def backbone(spec_of: SpecOf) -> keras.Model:
    return classifier.build(spec_of("minivgg"), 3, None, None).backbone


def stored(folder: Path) -> Path:
    found = list(folder.glob("*.npy"))
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("folded_from", [0, 1000], ids=["folded", "not folded"])
def test_features_are_those_of_the_backbone_in_inference_mode(
    folded_from: int, backbone: keras.Model, drawn: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "FOLDED_FROM", folded_from)
    pixels = drawn().pixels
    found = features.load_or_compute(backbone, pixels, {"a": 1}, tmp_path)
    expected = backbone(pixels.astype(np.float32), training=False).numpy()
    assert np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    assert found.notes == ()
    assert isinstance(found.values, np.memmap)


def test_the_last_partial_batch_is_there(
    backbone: keras.Model, drawn: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "predicted_batch", lambda pixels: 64)
    pixels = drawn().pixels
    found = features.load_or_compute(backbone, pixels, {}, tmp_path).values
    np.testing.assert_allclose(found, backbone(pixels.astype(np.float32), training=False).numpy(), atol=1e-5)


def test_the_second_time_nothing_is_computed(backbone: keras.Model, drawn: Draw, tmp_path: Path) -> None:
    first = features.load_or_compute(backbone, drawn().pixels, {"a": 1}, tmp_path)
    blank = np.zeros_like(drawn().pixels)
    again = features.load_or_compute(backbone, blank, {"a": 1}, tmp_path)
    np.testing.assert_array_equal(first.values, again.values)


def test_another_identity_is_another_file(backbone: keras.Model, drawn: Draw, tmp_path: Path) -> None:
    for number in (1, 2, 1):
        features.load_or_compute(backbone, drawn().pixels, {"a": number}, tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_a_flipped_bit_is_found_repaired_and_said(backbone: keras.Model, drawn: Draw, tmp_path: Path) -> None:
    sound = np.array(features.load_or_compute(backbone, drawn().pixels, {}, tmp_path).values)
    content = bytearray(stored(tmp_path).read_bytes())
    content[-100] ^= 1
    stored(tmp_path).write_bytes(content)
    repaired = features.load_or_compute(backbone, drawn().pixels, {}, tmp_path)
    np.testing.assert_array_equal(repaired.values, sound)
    assert "damaged" in repaired.notes[0]


@pytest.mark.parametrize("damage", ["cut off", "no description", "nonsense in the description", "empty"])
def test_every_other_damage_is_repaired_too(damage: str, backbone: keras.Model, drawn: Draw, tmp_path: Path) -> None:
    sound = np.array(features.load_or_compute(backbone, drawn().pixels, {}, tmp_path).values)
    path = stored(tmp_path)
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:-7])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "no description":
        path.with_suffix(".json").unlink()
    else:
        path.with_suffix(".json").write_text("[]")
    np.testing.assert_array_equal(features.load_or_compute(backbone, drawn().pixels, {}, tmp_path).values, sound)


def test_a_failure_while_writing_leaves_nothing_behind(
    backbone: keras.Model, drawn: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = features._forward

    def failing(model: keras.Model, pixels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        forward, calls = real(model, pixels), iter(range(2))
        return lambda batch: forward(batch) if next(calls) == 0 else (_ for _ in ()).throw(OSError(28, "disk full"))

    monkeypatch.setattr(features, "predicted_batch", lambda pixels: 64)
    monkeypatch.setattr(features, "_forward", failing)
    with pytest.raises(OSError, match="disk full"):
        features.load_or_compute(backbone, drawn().pixels, {}, tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_the_description_says_what_the_features_are(spec_of: SpecOf, drawn: Draw, tmp_path: Path) -> None:
    machine = Machine(None, tmp_path, settings.identity()["threads"])
    run(spec_of("minivgg", finetune="frozen", seed=4, epochs=1), drawn(), machine, lambda row: None)
    identity = json.loads(next((tmp_path / "features").glob("*.json")).read_text())["identity"]
    assert identity["backbone"] == {"name": "minivgg", "weights": "none", "pooling": "flatten", "application": None}
    assert identity["content"] == drawn().content
    assert identity["seed"] == 4
    assert {"image_size", "threads", "deterministic", "tensorflow", "keras", "code", "whitening"} <= set(identity)


def test_processes_that_want_the_same_features_do_not_disturb_each_other(tmp_path: Path) -> None:
    script = """
import runpy, sys
from pathlib import Path
tests = runpy.run_path(sys.argv[1])
tests["configure"](tests["SETTINGS"])
spec = tests["make_spec"]("minivgg", finetune="frozen", epochs=1)
assert tests["carry_out"](spec, tests["draw"](), Path(sys.argv[2])).notes[1:] == ()
"""
    conftest = str(Path(__file__).with_name("conftest.py"))
    command = [sys.executable, "-c", script, conftest, str(tmp_path)]
    workers = [subprocess.Popen(command) for _ in range(2)]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert len(list((tmp_path / "features").glob("*.npy"))) == 1
