"""How commands print: a table for people, Markdown, CSV or JSON for what reads on."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from benchmark.screen import Screen


class Format(StrEnum):
    """In which form a command prints its result."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print it.")]


_codes: list[int] = []


class Columns(NamedTuple):
    """A table of text that may lose columns on a narrow terminal."""

    titles: Sequence[str]
    lines: Sequence[Sequence[str]]
    droppable: Sequence[str] = ()
    """Titles of the columns that can be missed, the most dispensable first."""


def echo(text: str) -> None:
    """Print text as it is, with one line end."""
    typer.echo(text.removesuffix("\n"))


def echo_sentence(text: str) -> None:
    """Print a sentence: on a terminal broken between words, elsewhere on one line."""
    console = Screen()
    wrapped = textwrap.fill(text, console.width, break_long_words=False, break_on_hyphens=False)
    typer.echo(wrapped if console.is_terminal else text)


def warn(text: str, code: int) -> None:
    """Print a warning on stderr; the command does the rest of its work, but does not exit with less than `code`."""
    typer.echo(f"warning: {text}", err=True)
    _codes.append(code)


def worst_warning() -> int:
    """The highest exit code that a warning of this command stands for."""
    return max(_codes, default=0)


def forget_warnings() -> None:
    """Begin another command."""
    _codes.clear()


def echo_json(content: Any) -> None:
    """Print JSON; numbers that are not finite have no place in it and must have become null."""
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def echo_table(columns: Columns, bold: Collection[int] = ()) -> None:
    """Print a table that fits the terminal: the dispensable columns go first, then cells are folded."""
    console = Screen(highlight=False)
    shown = list(columns.titles)
    for title in columns.droppable:
        if not console.is_terminal or _width(columns, shown) <= console.width:
            break
        shown.remove(title)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in shown:
        table.add_column(escape(title), overflow="fold")
    places = [columns.titles.index(title) for title in shown]
    for index, line in enumerate(columns.lines):
        table.add_row(*(escape(line[place]) for place in places), style="bold" if index in bold else None)
    if not console.is_terminal:
        console.width = max(console.width, _width(columns, shown))
    with console.capture() as printed:
        console.print(table)
    echo("\n".join(line.rstrip() for line in printed.get().splitlines()))


def _width(columns: Columns, shown: Sequence[str]) -> int:
    """Characters that these columns take side by side."""
    places = [columns.titles.index(title) for title in shown]
    rows = [columns.titles, *columns.lines]
    return sum(max(len(row[place]) for row in rows) + 3 for place in places)
