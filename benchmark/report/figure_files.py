"""Figures as files: SVG drawn here, PNG and PDF by matplotlib, which is imported only for these two."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from benchmark import store
from benchmark.errors import ConfigurationError
from benchmark.report.drawing import round_values, tick_text
from benchmark.report.lettering import beside
from benchmark.report.page import shown
from benchmark.report.palette import SERIES, SHADES, ink, shade
from benchmark.report.plots import Heat, Plot, x_limits, y_limits
from benchmark.report.svg import svg_file

FigureFormat = Literal["svg", "png", "pdf"]

_NAME = 28


def require_format(name: str) -> FigureFormat:
    """The format of this name.

    Raises:
        ConfigurationError: there is none.
    """
    for known in get_args(FigureFormat):
        if known == name:
            return known
    raise ConfigurationError(
        f"found figures.format={name}; expected {', '.join(get_args(FigureFormat))}: set it to one of them"
    )


def drawn_format(directory: Path) -> FigureFormat | None:
    """The format of the figures that the sweep or one of its runs has already; None where nothing is drawn."""
    for known in get_args(FigureFormat):
        for pattern in (f"figures/*.{known}", f"runs/*/figures/*.{known}"):
            if next(directory.glob(pattern), None) is not None:
                return known
    return None


def write_figures(folder: Path, figures: Mapping[str, Plot | Heat], format: FigureFormat) -> list[Path]:
    """Write each figure as `<name>.<format>` into the folder; in other formats it is not left behind there."""
    paths = []
    for name, figure in figures.items():
        path = folder / f"{name}.{format}"
        if format == "svg":
            store.write_text(path, svg_file(figure))
        else:
            _write_drawn(path, figure, format)
        for other in get_args(FigureFormat):
            if other != format:
                path.with_suffix(f".{other}").unlink(missing_ok=True)
        paths.append(path)
    return paths


def _write_drawn(path: Path, figure: Plot | Heat, format: FigureFormat) -> None:
    """The figure by matplotlib, without its global state."""
    from matplotlib import rc_context  # noqa: PLC0415 - takes half a second, and SVG does without
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    rows = len(figure.rows if isinstance(figure, Heat) else figure.y_names)
    height = 4.2 if not rows else 1.6 + 0.36 * rows
    # Without a math parser a class named `$x^$` stays what it is; PDF without a date is the same every time.
    with rc_context({"text.parse_math": False}), store.replacing(path) as temporary:
        sheet = Figure(figsize=(7.0 if not isinstance(figure, Heat) else height + 1.6, height), layout="constrained")
        axes = sheet.add_subplot()
        if isinstance(figure, Heat):
            _heat(axes, figure)
        else:
            _plot(axes, figure)
        sheet.savefig(temporary, format=format, dpi=110, metadata={"CreationDate": None} if format == "pdf" else {})


def _plot(axes: Any, plot: Plot) -> None:
    for line in plot.lines:
        axes.plot(
            line.x, line.y, color=SERIES[line.colour], label=shown(line.name, _NAME), lw=1.6,
            ls="--" if line.dashed else "-", marker="o" if line.marked else None, ms=4,
        )  # fmt: skip
    for dots in plot.dots:
        axes.plot(dots.x, dots.y, "o", color=SERIES[dots.colour], label=shown(dots.name, _NAME), ms=5)
        for span in dots.spans:
            axes.plot((span.x0, span.x1), (span.y0, span.y1), color=SERIES[dots.colour], lw=1.3)
    for mark in plot.marks:
        axes.axvline(mark.at, color="0.4", ls=":", label=shown(mark.text, _NAME))
    axes.set_title(shown(plot.title))
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    if plot.x_logarithmic:
        axes.set_xscale("log")
    ends = x_limits(plot)
    axes.set_xlim(*ends)
    # The texts that matplotlib has for logarithms need the math parser.
    ticks = round_values(*ends, plot.x_logarithmic)
    axes.set_xticks(ticks, [tick_text(value) for value in ticks])
    axes.minorticks_off()
    axes.set_ylim(*y_limits(plot))
    if plot.y_names:
        axes.set_yticks(range(len(plot.y_names)), [shown(name, _NAME) for name in plot.y_names])
        axes.invert_yaxis()
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    if len(plot.series) + len(plot.marks) > 1:
        axes.legend(fontsize=8)
    _letter(axes, plot)


def _letter(axes: Any, plot: Plot) -> None:
    """The labels beside the markers, where one has room."""
    spots = [
        (x, y, label)
        for dots in reversed(plot.dots)
        for x, y, label in zip(dots.x, dots.y, dots.labels, strict=False)
    ]  # fmt: skip
    if not any(label for *_, label in spots):
        return
    axes.figure.draw_without_rendering()  # settles where things are
    points = axes.transData.transform([spot[:2] for spot in spots]) * [1, -1] * 72 / axes.figure.dpi
    right = axes.figure.get_figwidth() * 72
    for (x, y, label), point, place in zip(
        spots, points, beside(points, [label for *_, label in spots], right), strict=True
    ):
        if place:
            away = (place.x - point[0], point[1] - place.y)
            axes.annotate(shown(label, _NAME), (x, y), away, textcoords="offset points", fontsize=8)


def _heat(axes: Any, heat: Heat) -> None:
    from matplotlib.colors import ListedColormap  # noqa: PLC0415 - as above

    axes.imshow(heat.shares, cmap=ListedColormap(SHADES), vmin=0, vmax=1, aspect="equal")
    axes.set_xticks(range(len(heat.columns)), [shown(name, _NAME) for name in heat.columns], rotation=50, ha="right")
    axes.set_yticks(range(len(heat.rows)), [shown(name, _NAME) for name in heat.rows])
    axes.set_title(shown(heat.title))
    axes.set_xlabel(heat.column_label)
    axes.set_ylabel(heat.row_label)
    if heat.shares.size > 40 * 40:
        return
    for row, column in np.ndindex(heat.shares.shape):
        place = shade(float(heat.shares[row, column]))
        axes.text(
            column, row, heat.texts[row][column], ha="center", va="center", fontsize=8,
            color="#000" if place is None else ink(place),
        )  # fmt: skip
