"""A small network of the script beside this file, whose large ones take minutes each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datasets.sources.shapes import NAMES, draw, outline
from datasets.spec import ShapesRule

SCRIPT = Path(__file__).with_name("heat_on_shapes.py")


def test_the_heat_of_trained_networks_falls_on_the_shape() -> None:
    """In a process of its own, as TensorFlow takes its settings once."""
    words = [sys.executable, str(SCRIPT), "--only", "lenet"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    rows = {line.split()[0]: [float(word) for word in line.split()[1:5]] for line in done.stdout.splitlines()[1:]}
    [[_, accuracy, heat, area]] = rows.values()
    assert accuracy > 0.6
    assert heat > 2 * area
    assert heat > 0.5


@pytest.mark.parametrize("name", NAMES)
def test_the_outline_is_where_the_shape_was_drawn(name: str) -> None:
    """Against the background's colour, on pictures without clutter."""
    rule = ShapesRule(classes=8, per_class=1, imbalance=1, difficulty=0, size=64, seed=0)
    for index in range(3):
        picture = np.asarray(draw(rule, name, index), np.float64)
        background = np.median(picture[0], axis=0)
        differs = np.abs(picture - background).mean(axis=2) > 50
        found = outline(rule, name, index)
        assert found.any()
        assert (found == differs).mean() > 0.98
