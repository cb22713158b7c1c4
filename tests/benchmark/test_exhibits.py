"""What a run shows of itself: which pictures are explained, and the preview of its augmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark import exhibits


def test_the_worst_errors_and_one_right_picture_of_each_class_are_explained() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2], [0.05, 0.95]], np.float32)
    truth = np.array([0, 0, 1, 1, 0])
    found = exhibits.chosen_for(probabilities, truth, np.array([10, 11, 12, 13, 14]))
    assert found.rows.tolist() == [14, 13, 11, 10, 12]
    assert found.classes.tolist() == [1, 0, 1, 0, 1]


def test_of_more_classes_than_are_shown_those_known_worst_have_a_right_picture() -> None:
    """Two pictures of each class; the first of the last classes is taken for another, and class 0 is never right."""
    classes = exhibits.RIGHT + 5
    truth = np.repeat(np.arange(classes), 2)
    guess = truth.copy()
    guess[:2] = 1
    guess[2 * (classes - 7) :: 2] = 1
    probabilities = np.eye(classes, dtype=np.float32)[guess]
    found = exhibits.chosen_for(probabilities, truth, np.arange(len(truth)))
    shown = truth[found.rows[exhibits.WORST :]].tolist()
    assert len(shown) == exhibits.RIGHT
    assert set(range(classes - 7, classes)) <= set(shown)
    assert 0 not in shown
    assert found.classes[exhibits.WORST :].tolist() == shown


def test_pictures_of_the_preview_do_not_run_into_each_other(tmp_path: Path) -> None:
    black = np.zeros((2, 32, 32, 3), np.uint8)
    grid = exhibits._grid([black, black, black])
    Image.fromarray(grid).save(tmp_path / "preview.png")
    columns = (grid[16] == 255).all(axis=1)
    assert grid.shape == (2 * 34, 3 * 34 + 3, 3)
    assert (grid[:, columns] == 255).all()
    widths = np.diff(np.flatnonzero(np.diff(columns.astype(int))))
    assert widths.tolist() == [32, 5, 32, 2, 32]


@pytest.mark.parametrize("side", [8, 96])
def test_the_gaps_of_the_preview_grow_with_the_pictures(side: int) -> None:
    picture = np.zeros((1, side, side, 3), np.uint8)
    gap = max(1, side // 32)
    assert exhibits._grid([picture, picture]).shape == (side + 2 * gap, 2 * side + 7 * gap, 3)
