"""Seeds: one independent stream of random numbers for each purpose, all from the run's seed."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt


def derive(seed: int, *purpose: str | int) -> int:
    """The seed 0..2^31-1 of the named stream; streams of other purposes do not depend on its use."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1


def drawn_views(seed: int, epoch: int, places: int, views: int) -> npt.NDArray[np.int64]:
    """Which of its views each place in an epoch's order shows, (places,) 0..views-1."""
    return np.random.default_rng(derive(seed, "views", epoch)).integers(0, views, places)
