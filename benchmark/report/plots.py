"""Plots: what a figure shows, as values. `svg` and `figure_files` draw them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

OTHERS = 7
"""The colour of what is only background: the last of `palette.SERIES`."""


class Span(NamedTuple):
    """A straight piece between two points, in the units of the axes: an interval."""

    x0: float
    y0: float
    x1: float
    y1: float


class Line(NamedTuple):
    """Points joined in their order."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    colour: int
    """Place in `palette.SERIES`."""
    dashed: bool = False
    marked: bool = False
    """Whether each point has a marker of its own."""


class Dots(NamedTuple):
    """Markers, each with a text of its own and perhaps an interval."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    texts: tuple[str, ...]
    colour: int
    spans: tuple[Span, ...] = ()
    labels: tuple[str, ...] = ()
    """Short texts beside the markers."""


class Mark(NamedTuple):
    """An upright line at a value of x, with what it means."""

    at: float
    text: str


class Plot(NamedTuple):
    """A figure with two axes."""

    title: str
    summary: str
    """What it shows in a sentence, for those who cannot see it."""
    x_label: str
    y_label: str
    lines: tuple[Line, ...] = ()
    dots: tuple[Dots, ...] = ()
    marks: tuple[Mark, ...] = ()
    x_range: tuple[float, float] | None = None
    """None: what holds all values."""
    y_range: tuple[float, float] | None = None
    x_logarithmic: bool = False
    y_names: tuple[str, ...] = ()
    """Instead of numbers on the upright axis: names of 0, 1, 2, ... from the top."""
    legend: Literal["inside", "beside"] = "inside"
    """Whether the names of the series are drawn, or the page around it shows them."""

    @property
    def series(self) -> list[Line | Dots]:
        """Lines, then dots."""
        return [*self.lines, *self.dots]


class Heat(NamedTuple):
    """A table whose cells are coloured by a share."""

    title: str
    summary: str
    row_label: str
    column_label: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    shares: npt.NDArray[np.float64]
    """Rows x columns, 0..1; NaN for what is unknown."""
    texts: tuple[tuple[str, ...], ...]
    """What stands in each cell."""


class Limits(NamedTuple):
    """The ends of an axis."""

    low: float
    high: float


def x_limits(plot: Plot) -> Limits:
    """The ends of the x axis."""
    values = [value for series in plot.series for value in series.x]
    values += [end for dots in plot.dots for span in dots.spans for end in (span.x0, span.x1)]
    values += [mark.at for mark in plot.marks]
    return _limits(plot.x_range, values, plot.x_logarithmic)


def y_limits(plot: Plot) -> Limits:
    """The ends of the y axis."""
    if plot.y_names:
        return Limits(-0.5, len(plot.y_names) - 0.5)
    values = [value for series in plot.series for value in series.y]
    values += [end for dots in plot.dots for span in dots.spans for end in (span.y0, span.y1)]
    return _limits(plot.y_range, values, logarithmic=False)


def _limits(given: tuple[float, float] | None, values: Sequence[float], logarithmic: bool) -> Limits:
    """The given ends, or those of the values with a little room."""
    if given:
        return Limits(*given)
    known = [value for value in values if np.isfinite(value) and (value > 0 or not logarithmic)]
    if not known:
        return Limits(1.0, 10.0) if logarithmic else Limits(0.0, 1.0)
    low, high = min(known), max(known)
    if logarithmic:
        ratio = max((high / low) ** 0.06, 1.3)
        return Limits(low / ratio, high * ratio)
    room = (high - low) * 0.06 or max(abs(high) * 0.05, 0.05)
    return Limits(max(low - room, 0.0) if low >= 0 else low - room, high + room)
