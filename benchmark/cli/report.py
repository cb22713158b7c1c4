"""The command that writes a sweep's report."""

from __future__ import annotations

import webbrowser
from enum import StrEnum
from typing import Annotated

import typer

from benchmark import publish
from benchmark.cli.boards import Sweep, load_records
from benchmark.cli.output import echo, warn
from benchmark.errors import DATA
from benchmark.report import sweep
from benchmark.report.figure_files import drawn_format
from benchmark.report.pictures import damaged_manifests
from benchmark.wording import counted


class Level(StrEnum):
    """How much is written."""

    BOARD = "board"
    FULL = "full"


class FigureFiles(StrEnum):
    """The form of figures' files."""

    SVG = "svg"
    PNG = "png"
    PDF = "pdf"


Much = Annotated[Level, typer.Option(help="board: report.html alone; full: also figures, and a page for every run.")]
Figures = Annotated[
    FigureFiles | None,
    typer.Option(help="The form of the figures' files.", show_default="that of the figures that are there, else svg"),
]
Open = Annotated[bool, typer.Option("--open", help="Show it in the browser.")]


def report(directory: Sweep, level: Much = Level.FULL, figures: Figures = None, open: Open = False) -> None:
    """Write report.html, which needs no network, and the pages of runs that have none, with figures in this form.

    The report holds the sortable board, intervals, effects, scores against costs, classes, the pictures that nobody
    gets right, suspicious labels, learning curves, data, failures and the command of each run.

    \b
    Examples:
      bench report results/digits
      bench report results/digits --open
      bench report results/digits --figures pdf
    """
    load_records(directory)  # says what is damaged, and that a folder is no sweep's
    for damage in damaged_manifests(directory):
        warn(damage, DATA)
    form = figures.value if figures else drawn_format(directory) or FigureFiles.SVG.value
    written = sweep.write(directory, level.value, form, publish.draw(directory).board)
    assert written.report is not None
    if written.pages:
        trained = [page for page in written.pages if not page.parent.name.startswith("baseline-")]
        echo(f"wrote {counted(len(written.pages), 'page')} of runs, such as {[*trained, *written.pages][0]}")
    echo(f"wrote {written.report} ({written.report.stat().st_size / 1e6:.1f} MB)")
    if open:
        webbrowser.open(written.report.resolve().as_uri())
