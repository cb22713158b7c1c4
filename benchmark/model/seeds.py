"""Seeds: one independent stream of random numbers for each purpose, all from the run's seed."""

from __future__ import annotations

import hashlib


def derive(seed: int, *purpose: str | int) -> int:
    """The seed 0..2^31-1 of the named stream; streams of other purposes do not depend on its use."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1
