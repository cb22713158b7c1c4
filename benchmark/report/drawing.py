"""Coordinates for small drawings: templates only put them into SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LOG_FROM = 6.0
"""A range is drawn in logarithms from this ratio of its ends on."""


_MOST_LOG_TICKS = 6


class Tick(NamedTuple):
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


class Axis(NamedTuple):
    """A scale from values to drawing units."""

    low: float
    high: float
    start: float
    """Where `low` lies."""
    end: float
    logarithmic: bool

    def place(self, values: Floats) -> Floats:
        """Where these values lie, shape as given."""
        low, high = self._scaled(np.array([self.low, self.high]))
        share: Floats = (self._scaled(values) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[Tick]:
        """Marks at round values, at most about seven."""
        numbers = np.array(round_values(self.low, self.high, self.logarithmic))
        return [
            Tick(round(at, 1), tick_text(value))
            for at, value in zip(self.place(numbers).tolist(), numbers.tolist(), strict=True)
        ]

    def _scaled(self, values: Floats) -> Floats:
        return np.log(values) if self.logarithmic else values


class Point(NamedTuple):
    """A marker: centre, radius, and what it stands for."""

    x: float
    y: float
    radius: float
    text: str


class Bar(NamedTuple):
    """An upright bar: left edge, top, width, height, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    text: str


class Curve(NamedTuple):
    """A line through points: an SVG polyline's points, and the points themselves."""

    line: str
    points: list[Point]


def axis(values: Floats, start: float, end: float) -> Axis:
    """A scale that holds these positive values with a little room, logarithmic where they differ much."""
    low, high = float(values.min()), float(values.max())
    logarithmic = low > 0 and high / low > _LOG_FROM
    if logarithmic:
        return Axis(low / 1.15, high * 1.15, start, end, logarithmic)
    room = max((high - low) * 0.08, high * 0.02, 0.5)
    return Axis(max(low - room, 0.0), high + room, start, end, logarithmic)


def histogram(values: Floats, edges: Floats, width: float, height: float) -> list[Bar]:
    """The bars of a histogram that fills width x height."""
    counts, _ = np.histogram(values, edges)
    step = width / len(counts)
    tallest = max(int(counts.max()), 1)
    return [
        Bar(
            round(place * step, 2),
            round(height * (1 - count / tallest), 2),
            round(step * 0.9, 2),
            round(height * count / tallest, 2),
            f"{edges[place]:.0f} to {edges[place + 1]:.0f}: {count} pictures",
        )
        for place, count in enumerate(counts.tolist())
    ]


def curve(values: Sequence[float], texts: Sequence[str], width: float, height: float) -> Curve:
    """A line through values at equal steps, the largest at the top, 0 at the bottom."""
    top = max(*values, 1e-9)
    step = width / (len(values) - 1)
    points = [
        Point(round(place * step, 1), round(height * (1 - value / top), 1), 2.5, text)
        for place, (value, text) in enumerate(zip(values, texts, strict=True))
    ]
    return Curve(" ".join(f"{point.x},{point.y}" for point in points), points)


def tick_text(value: float) -> str:
    """A round number in few characters: `0.25`, `500`, `200k`, `5M`, `1G`."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= max(size, 100_000):
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def round_values(low: float, high: float, logarithmic: bool) -> list[float]:
    """Round numbers between the ends for marks on an axis, at most about seven."""
    if not logarithmic:
        rough = (high - low) / 6
        step = next(
            unit for exponent in range(-6, 15) for unit in (10.0**exponent, 2 * 10.0**exponent, 5 * 10.0**exponent)
            if unit >= rough
        )  # fmt: skip
        first = math.ceil(low / step)
        return [round(number * step, 9) for number in range(first, math.floor(high / step) + 1)]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits, apart in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 4)):
        numbers = [digit * 10.0**decade for decade in decades if decade % apart == 0 for digit in digits]
        numbers = [number for number in numbers if low <= number <= high]
        if len(numbers) <= _MOST_LOG_TICKS:
            break
    return numbers
