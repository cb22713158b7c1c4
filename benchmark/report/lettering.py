"""Lettering: where short labels stand beside markers, so that none covers another label or marker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LETTER, LINE = 8.5, 13.0
"""About the size of a digit with its room, in drawing units, as large as on a phone."""
_RADIUS = 4.0
_GAP = 2.0


class Place(NamedTuple):
    """Where a label's baseline starts."""

    x: float
    y: float


def beside(markers: npt.ArrayLike, labels: Sequence[str], right: float) -> list[Place | None]:
    """A free corner of each marker for its label, those first in the list first; None where there is no room left.

    Args:
        markers: N x 2, centres in drawing units, y downwards.
        labels: one a marker; an empty one needs no place.
        right: where the drawing ends.
    """
    centres = np.array(markers, np.float64).reshape(-1, 2)
    taken = np.concatenate([centres - _RADIUS, centres + _RADIUS], axis=1)
    found: list[Place | None] = []
    for (x, y), label in zip(centres.tolist(), labels, strict=True):
        free = [box for box in _corners(x, y, label) if box[2] <= right and not _covers(box, taken)] if label else []
        found.append(Place(round(free[0][0], 1), round(free[0][3] - _GAP, 1)) if free else None)
        taken = np.concatenate([taken, np.array(free[:1]).reshape(-1, 4)])
    return found


def _corners(x: float, y: float, label: str) -> list[tuple[float, float, float, float]]:
    """Boxes (left, top, right, bottom) beside a marker: above and below on its right, then on its left."""
    width, away = LETTER * len(label), _RADIUS + 0.5
    return [
        (left, top, left + width, top + LINE)
        for left in (x + away, x - away - width)
        for top in (y - LINE, y)
    ]  # fmt: skip


def _covers(box: tuple[float, float, float, float], taken: npt.NDArray[np.float64]) -> bool:
    left, top, right, bottom = box
    apart = (taken[:, 2] <= left) | (taken[:, 0] >= right) | (taken[:, 3] <= top) | (taken[:, 1] >= bottom)
    return not bool(apart.all())
