"""Colours that people with any colour vision can tell apart."""

from __future__ import annotations

import math

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a00", "#5c666d")
"""For lines and markers on white, after Okabe and Ito (2008); their yellow is darkened, their black is grey."""

SERIES_IN_THE_DARK = ("#56a8e0", "#f28a4b", "#2bc795", "#e2a3c7", "#f0b43c", "#8fd0f5", "#c2c24a", "#9aa4aa")
"""The same, brighter."""

SHADES = (
    "#00224e", "#083370", "#35456c", "#4f576c", "#666970", "#7d7c78", "#948e77", "#aea371", "#c8b866", "#e5cf52",
    "#fee838",
)  # fmt: skip
"""Eleven shades from 0 to 1: cividis (Nunez et al. 2018), of even lightness steps for any colour vision."""

_FIRST_BRIGHT = 5


def shade(share: float) -> int | None:
    """The place in SHADES of a share of 0..1; None for NaN."""
    return None if math.isnan(share) else round(min(max(share, 0.0), 1.0) * (len(SHADES) - 1))


def ink(place: int) -> str:
    """The colour of text that can be read on this shade."""
    return "#000" if place >= _FIRST_BRIGHT else "#fff"


def rgb(colour: str) -> tuple[int, int, int]:
    """`#0072b2` as three numbers of 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
