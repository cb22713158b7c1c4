"""Statistics of swap draws, kept so that the largest of any family of ordered pairs can be looked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.outcomes import Floats

Booleans = NDArray[np.bool_]

MOST_NUMBERS = 2**26
"""Statistics that are held at once: half a gigabyte with all of them, a gigabyte with their places."""

_FLOOR = 2.0


class Draws(Protocol):
    """Studentised differences of Q contrasts in B draws."""

    def maxima(self, forward: Booleans, backward: Booleans) -> Floats:
        """Largest statistic of each draw over the ordered contrasts in question, [B].

        forward, backward: bool [Q], whether a contrast, and its negative, is in question.
        """


class AllDraws:
    """All of them, in blocks [b, Q]."""

    def __init__(self, blocks: Iterable[Floats]) -> None:
        self._blocks = list(blocks)

    @property
    def values(self) -> Floats:
        """The statistics, [B, Q]."""
        return np.concatenate(self._blocks)

    def maxima(self, forward: Booleans, backward: Booleans) -> Floats:
        """Largest statistic of each draw over the ordered contrasts in question, [B]; see `Draws`."""
        both, one = forward & backward, forward ^ backward
        sign = np.where(forward, 1.0, -1.0)[one]
        largest = []
        for block in self._blocks:
            most = np.full(len(block), -np.inf)
            if both.any():
                most = np.abs(block if both.all() else block[:, both]).max(axis=1)
            if one.any():
                most = np.maximum(most, (block[:, one] * sign).max(axis=1))
            largest.append(most)
        return np.concatenate(largest)


class _Piece(NamedTuple):
    """The statistics of some draws that reach the floor: places in the block and in the contrasts, and values."""

    draws: int
    draw: NDArray[np.int32]
    contrast: NDArray[np.int32]
    value: Floats


class LargeDraws:
    """Only those that may be the largest of a family, for boards whose draws do not fit into memory.

    What the 95 % quantile of a family's maxima needs is exact as long as it is above `floor`: about 2 (the quantile
    of a single pair is 1.96), or more where so many statistics exceed 2 that they would not fit. A smaller quantile
    is taken to be `floor`, which claims less and never more.
    """

    def __init__(self, blocks: Iterator[Floats], draws: int) -> None:
        self.floor = _FLOOR
        self._pieces: list[_Piece] = []
        for block in blocks:
            if not self._pieces:
                share = min(1.0, MOST_NUMBERS / (draws * block.shape[1]))
                self.floor = max(_FLOOR, float(np.quantile(np.abs(block), 1 - share)))
            draw, contrast = np.nonzero(np.abs(block) > self.floor)
            values = block[draw, contrast]
            self._pieces.append(_Piece(len(block), draw.astype(np.int32), contrast.astype(np.int32), values))

    def maxima(self, forward: Booleans, backward: Booleans) -> Floats:
        """Largest statistic of each draw over the ordered contrasts in question, at least `floor`, [B]."""
        largest = []
        for piece in self._pieces:
            asked = np.where(piece.value > 0, forward[piece.contrast], backward[piece.contrast])
            most = np.full(piece.draws, self.floor)
            np.maximum.at(most, piece.draw[asked], np.abs(piece.value[asked]))
            largest.append(most)
        return np.concatenate(largest)
