"""Plots and heats as SVG: vector drawings of a few kilobytes that follow the page's light or dark colours."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from benchmark.report.drawing import Axis
from benchmark.report.lettering import Place, beside
from benchmark.report.page import render, shown
from benchmark.report.palette import ink, shade
from benchmark.report.plots import Dots, Heat, Line, Plot, x_limits, y_limits

_WIDTH = 520.0
_HEIGHT = 310.0
_RIGHT = 18.0
_BOTTOM = 46.0
_TITLE = 30.0
_LEGEND_ROW = 19.0
_LETTER = 7.0
"""About the width of a character."""
_NAME = 28
"""Characters of a name on an axis."""
_ROW = 34.0
"""Height of a named place on the upright axis."""
_MARKED = 40
"""Lines with more points than this have no markers."""


class Spot(NamedTuple):
    """A marker's centre and texts."""

    x: float
    y: float
    text: str
    label: str
    at: Place | None = None
    """Of the label; None where it has no room."""


class Stroke(NamedTuple):
    """A line or a set of markers, ready to be drawn."""

    name: str
    colour: int
    dashed: bool
    path: str
    """Points of a polyline; empty for markers alone."""
    spots: tuple[Spot, ...]
    spans: tuple[tuple[float, float, float, float], ...]


class Key(NamedTuple):
    """An entry of the legend."""

    x: float
    y: float
    name: str
    colour: int
    line: bool
    dashed: bool


class Name(NamedTuple):
    """A name on the upright axis."""

    y: float
    text: str
    whole: str


class Cell(NamedTuple):
    """A cell of a heat."""

    x: float
    y: float
    shade: int | None
    ink: str
    text: str
    whole: str


def svg(plot: Plot) -> Markup:
    """The plot as an element for a page."""
    return Markup(render("plot.svg.j2", standalone=False, **_placed(plot)))


def svg_file(figure: Plot | Heat) -> str:
    """The plot or heat as a file of its own."""
    if isinstance(figure, Heat):
        return render("heat.svg.j2", **_heat(figure))
    return render("plot.svg.j2", standalone=True, **_placed(figure))


def _placed(plot: Plot) -> dict[str, Any]:
    """Everything the template draws, in drawing units."""
    names = [shown(name, _NAME) for name in plot.y_names]
    left = 64.0 if not names else 26.0 + _LETTER * max(len(name) for name in names)
    keys = _legend(plot, left)
    top = (max(key.y for key in keys) + 14 if keys else _TITLE) + (22 if plot.marks else 8)
    inner = _ROW * len(names) + 8 if names else _HEIGHT - _TITLE - _BOTTOM
    bottom = top + inner
    across = Axis(*x_limits(plot), left, _WIDTH - _RIGHT, plot.x_logarithmic)
    # The upright axis grows upwards for numbers and downwards for names.
    upward = Axis(*y_limits(plot), *((top, bottom) if names else (bottom, top)), False)
    rows = upward.place(np.arange(len(names), dtype=np.float64)).round(1).tolist()
    return {
        "plot": plot,
        "width": _WIDTH,
        "height": bottom + _BOTTOM,
        "left": left,
        "right": _WIDTH - _RIGHT,
        "top": round(top, 1),
        "bottom": round(bottom, 1),
        "x_ticks": across.ticks(),
        "y_ticks": [] if names else upward.ticks(),
        "names": [Name(*row) for row in zip(rows, names, plot.y_names, strict=True)],
        "strokes": [
            *(_line(line, across, upward) for line in plot.lines),
            *_lettered([_dots(dots, across, upward) for dots in plot.dots]),
        ],
        "keys": keys,
        "marks": list(
            zip(
                _places(across, np.array([mark.at for mark in plot.marks], np.float64)),
                [shown(mark.text, 40) for mark in plot.marks],
                strict=True,
            )
        ),
    }


def _legend(plot: Plot, left: float) -> list[Key]:
    """Entries in rows below the title; a single unnamed series has none."""
    named = [one for one in plot.series if one.name]
    if len(named) < 2 or plot.legend == "beside":
        return []
    x, y, keys = left, _TITLE + 12, []
    for one in named:
        text = shown(one.name, 34)
        width = 44 + 1.35 * _LETTER * len(text)
        if x > left and x + width > _WIDTH - _RIGHT:
            x, y = left, y + _LEGEND_ROW
        keys.append(Key(x, y, text, one.colour, isinstance(one, Line), isinstance(one, Line) and one.dashed))
        x += width
    return keys


def _line(line: Line, across: Axis, upward: Axis) -> Stroke:
    x, y = np.array(line.x, np.float64), np.array(line.y, np.float64)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    places = list(zip(_places(across, x), _places(upward, y), strict=True))
    spots: list[Spot] = []
    if line.marked and len(places) <= _MARKED:
        texts = [f"{line.name}: {at:g}, {value:.4g}" for at, value in zip(x.tolist(), y.tolist(), strict=True)]
        spots = [Spot(*place, text, "") for place, text in zip(places, texts, strict=True)]
    path = " ".join(f"{right:g},{down:g}" for right, down in places)
    return Stroke(line.name, line.colour, line.dashed, path, tuple(spots), ())


def _dots(dots: Dots, across: Axis, upward: Axis) -> Stroke:
    labels = dots.labels or ("",) * len(dots.x)
    x, y = _places(across, np.array(dots.x, np.float64)), _places(upward, np.array(dots.y, np.float64))
    ends = np.array(dots.spans, np.float64).reshape(-1, 4).T
    spans = zip(*(_places(axis, end) for axis, end in zip((across, upward) * 2, ends, strict=True)), strict=True)
    spots = tuple(Spot(*spot) for spot in zip(x, y, dots.texts, labels, strict=True))
    return Stroke(dots.name, dots.colour, False, "", spots, tuple(spans))


def _lettered(strokes: list[Stroke]) -> list[Stroke]:
    """The strokes with places for their labels; what is drawn last, over all else, is the first to get them."""
    spots = [spot for stroke in reversed(strokes) for spot in stroke.spots]
    found = iter(beside([spot[:2] for spot in spots], [spot.label for spot in spots], _WIDTH))
    placed = [
        stroke._replace(spots=tuple(spot._replace(at=next(found)) for spot in stroke.spots))
        for stroke in reversed(strokes)
    ]
    return placed[::-1]


def _places(axis: Axis, values: npt.NDArray[np.float64]) -> list[float]:
    """Where these values lie, at most at the ends of the axis."""
    low, high = sorted((axis.start, axis.end))
    found: list[float] = np.clip(axis.place(values), low, high).round(1).tolist()
    return found


def _heat(heat: Heat) -> dict[str, Any]:
    """Everything the template of a heat draws; with many cells their texts are left to the pointer."""
    size = max(8.0, min(46.0, 900.0 / max(len(heat.columns), len(heat.rows))))
    longest = [max((len(shown(name, _NAME)) for name in names), default=1) for names in (heat.rows, heat.columns)]
    left, top = 40 + _LETTER * longest[0], 62 + 0.8 * _LETTER * longest[1]
    cells = []
    for row, (shares, texts) in enumerate(zip(heat.shares.tolist(), heat.texts, strict=True)):
        for column, (share, text) in enumerate(zip(shares, texts, strict=True)):
            place = shade(share)
            whole = f"{heat.rows[row]}, {heat.columns[column]}: {text}"
            cells.append(Cell(left + column * size, top + row * size, place, ink(place or 0), text, whole))
    return {
        "heat": heat,
        "size": size,
        "left": left,
        "top": top,
        "written": size >= 24,
        "cells": cells,
        "rows": [Name(top + (place + 0.5) * size, shown(name, _NAME), name) for place, name in enumerate(heat.rows)],
        "columns": [
            Name(left + (place + 0.5) * size, shown(name, _NAME), name) for place, name in enumerate(heat.columns)
        ],
        "width": left + size * len(heat.columns) + 40 + 0.6 * _LETTER * longest[1],
        "height": top + size * len(heat.rows) + 20,
    }
