import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmark.model import latency
from benchmark.model.classifier import Blueprint
from benchmark.model.stages import plan
from benchmark.model.trained import TrainedModel
from benchmark.records import Latency
from benchmark.spec import RunSpec

SpecOf = Callable[..., RunSpec]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests are at work meanwhile."""
    monkeypatch.setattr(latency, "_PATIENCE", 0.2)


class Asked:
    """Trained models of a spec, and how often one was asked for."""

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self.times = 0

    def __call__(self) -> TrainedModel:
        self.times += 1
        blueprint = Blueprint(self.spec, 3, None, None)
        return TrainedModel(blueprint, plan(self.spec)[-1], blueprint.build().logits.get_weights())


def load(asked: Asked, folder: Path) -> Latency:
    return latency.load_or_measure(asked.spec, 3, asked, folder, 2)


def test_milliseconds_of_one_picture_and_of_thirty_two(spec_of: SpecOf, tmp_path: Path) -> None:
    found = load(Asked(spec_of("minivgg", 32)), tmp_path)
    assert 0 < found.batch_1_p50 <= found.batch_1_p95 < 1000
    assert 0 < found.batch_32_p50 <= found.batch_32_p95 < 5000
    assert found.batch_1_p50 < found.batch_32_p50


def test_a_slow_model_is_measured_with_fewer_calls_and_takes_as_long_as_it_takes() -> None:
    calls: list[int] = []

    def sleep(pixels: np.ndarray) -> np.ndarray:
        calls.append(len(pixels))
        time.sleep(0.7)
        return pixels.mean(axis=(1, 2))

    class Slow(keras.layers.Layer):  # type: ignore[misc]
        def call(self, pixels: Any) -> Any:
            return latency.tf.ensure_shape(latency.tf.numpy_function(sleep, [pixels], "float32"), (None, 3))

    pixels = keras.Input((8, 8, 3))
    found = latency.measure(keras.Model(pixels, Slow()(pixels)), 8)
    assert calls.count(1) == calls.count(32) == latency._WARMING + latency._FEWEST
    assert 700 <= found.batch_1_p50 < 1400
    assert 700 <= found.batch_32_p50 <= found.batch_32_p95


def test_an_architecture_is_measured_once_whatever_learns_and_however(spec_of: SpecOf, tmp_path: Path) -> None:
    first = Asked(spec_of("lenet"))
    found = load(first, tmp_path)
    for same in ({"seed": 4}, {"finetune": "frozen"}, {"weighting": "balanced"}, {"augmentation": "flip"}):
        asked = Asked(spec_of("lenet", **same))
        assert load(asked, tmp_path) == found
        assert asked.times == 0
    for other in ({"head": "dense"}, {"image_size": 24}):
        asked = Asked(spec_of("lenet", **other))
        load(asked, tmp_path)
        assert asked.times == 1
    assert latency._architecture(spec_of("lenet", augmentation="zca"), 3) != latency._architecture(first.spec, 3)


@pytest.mark.parametrize("content", ["", "[]", '{"latency": {"batch_1_p50": 1}}'])
def test_a_note_that_cannot_be_read_is_measured_again(content: str, spec_of: SpecOf, tmp_path: Path) -> None:
    asked = Asked(spec_of("shallownet"))
    load(asked, tmp_path)
    path = next(tmp_path.glob("*.json"))
    assert json.loads(path.read_text())["identity"]["host"]
    path.write_text(content)
    load(asked, tmp_path)
    assert asked.times == 2
    assert load(asked, tmp_path).batch_1_p50 > 0
    assert asked.times == 2


def busy_by(monkeypatch: pytest.MonkeyPatch, *shares: float) -> None:
    """Let others use these shares of the processors from look to look, and the last one for ever."""
    left = list(shares)

    def others(work: Callable[[], object]) -> float:
        work()
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(latency, "_others", others)


def measured(*milliseconds: float) -> Callable[[], Latency]:
    """Measurements that give these, one after the other."""
    left = list(milliseconds)

    def measurement() -> Latency:
        one = left.pop(0)
        return Latency(batch_1_p50=one, batch_1_p95=one, batch_32_p50=one, batch_32_p95=one)

    return measurement


@pytest.mark.parametrize(
    ("shares", "found", "others"),
    [
        ((0.0, 0.05), 10.0, 0.05),  # quiet before and meanwhile
        ((0.5, 0.5, 0.0, 0.02), 10.0, 0.02),  # waited until it was
        ((0.0, 0.6, 0.0, 0.04), 20.0, 0.04),  # disturbed once
        ((0.0, 0.3, 0.0, 0.6), 10.0, 0.3),  # twice: the lesser evil
    ],
)
def test_what_is_measured_in_quiet_counts(
    shares: tuple[float, ...], found: float, others: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "_PATIENCE", 30.0)
    monkeypatch.setattr(latency, "_LOOK", 0.0)
    busy_by(monkeypatch, *shares)
    counted = latency._least_disturbed(measured(10, 20))
    assert (counted.batch_1_p50, counted.others) == (found, others)


def test_quiet_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "_PATIENCE", 0.01)
    busy_by(monkeypatch, 0.9)
    assert latency._least_disturbed(measured(10, 20)).others == 0.9


def test_what_others_use_is_seen() -> None:
    def work() -> None:
        until = time.process_time() + 1.0
        while time.process_time() < until:
            pass

    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            time.sleep(0.3)
            beside = latency._others(work)
        finally:
            other.kill()
    assert beside > 0.5 / len(latency._processors()), "one process used a whole processor"
