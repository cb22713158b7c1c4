"""The command that prints a sweep's leaderboard, what other commands read of a sweep, and the list of metrics."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pandas as pd
import typer

from benchmark import claims, publish, store
from benchmark import metrics as known_metrics
from benchmark.board import leaderboard as boards
from benchmark.board.columns import csv_text
from benchmark.board.cost_tables import compact_costs
from benchmark.board.costs import cheapest, to_csv, with_prices
from benchmark.board.costs import costs as find_costs
from benchmark.board.markdown import compact, escaped, markdown_table
from benchmark.board.table import Leaderboard
from benchmark.cli.output import Columns, Format, FormatOption, echo, echo_json, echo_sentence, echo_table, warn
from benchmark.errors import DATA
from benchmark.records import RunRecord
from benchmark.wording import counted_are

_DISPENSABLE = ("memory MB", "batch 32 ms", "weights", "image_size", "training", "MFLOPs")
"""Columns of the costs that a narrow terminal can do without, the most dispensable first."""

MOST_ROWS = 15
"""Rows that a sweep shows when it ends."""

Sweep = Annotated[Path, typer.Argument(metavar="DIR", help="A sweep's folder, results/<sweep.name>.")]


class NoRuns(ValueError):
    """A folder in which no run was ever planned."""

    exit_code = 1


class NothingLeft(ValueError):
    """A pattern that fits no candidate, or leaves none."""

    exit_code = 1


class Kept(NamedTuple):
    """The records that are shown, and what must be said of those that are not."""

    records: list[RunRecord]
    sentences: tuple[str, ...]


Without = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="PATTERN", help="Leave these candidates out: 'lenet-*'; may be repeated."),
]
ShowCosts = Annotated[bool, typer.Option("--costs", help="What each row costs on this machine, and who is worth it.")]


def leaderboard(
    directory: Sweep, format: FormatOption = Format.TABLE, without: Without = None, costs: ShowCosts = False
) -> None:
    """Print the leaderboard of a sweep and what it can and cannot tell.

    Every row has a range of ranks: the places it may hold, all of them right at once in 95 % of boards. `tied` marks
    the rows that may be the best one. With --costs the columns are parameters, FLOPs, milliseconds, seconds and
    memory; `front` says by which costs no row is both better and cheaper. --without only shows: no file changes.

    \b
    Examples:
      bench leaderboard results/digits
      bench leaderboard results/digits --costs
      bench leaderboard results/digits --without 'lenet-*' --without '*-focal-*'
      bench leaderboard results/digits --format csv > board.csv
    """
    kept = _without(load_records(directory), without or [])
    board = _board(directory, kept.records)
    board = replace(board, sentences=(*board.sentences, *_around(directory, kept.records), *kept.sentences))
    spent = find_costs(kept.records, board)
    if costs:
        _show_costs(board, spent, format)
    elif format is Format.TABLE:
        show_board(replace(board, sentences=tuple(with_prices(board.sentences, spent))), most=None)
    elif format is Format.MARKDOWN:
        echo(boards.to_markdown(board))
    elif format is Format.CSV:
        echo(boards.to_csv(board))
    else:
        rows = [{str(name): plain(value) for name, value in row.items()} for row in board.table.to_dict("records")]
        failures = [run._asdict() for run in board.failures]
        content = {"primary": board.primary, "sentences": board.sentences, "rows": rows, "failures": failures}
        echo_json(content)


def _around(directory: Path, records: list[RunRecord]) -> list[str]:
    """Sentences on what the records of the rows do not say."""
    return [*publish.wear(directory, records), *_abandoned(directory, records)]


def _abandoned(directory: Path, records: Sequence[RunRecord]) -> tuple[str, ...]:
    """A sentence on runs whose record says that they are running, which nobody is at."""
    running = [record for record in records if record.status == "running"]
    left = sum(not claims.is_under_way(directory, record) for record in running)
    if not left:
        return ()
    return (
        f"{counted_are(left, 'run')} marked running, but the sweep that was at it ended without a word: its command "
        "again does the rest.",
    )


def metrics(format: FormatOption = Format.TABLE) -> None:
    """List the metrics and which way they point.

    \b
    Example:
      bench metrics
    """
    found = [known_metrics.find(name) for name in known_metrics.names()]
    lines = [
        (one.name, "higher" if one.higher_is_better else "lower", (one.compute.__doc__ or "").partition("\n")[0])
        for one in found
    ]
    show(("metric", "better", "meaning"), lines, format)


def show(titles: Sequence[str], lines: Sequence[Sequence[str]], format: Format) -> None:
    """Print a table of text in any format."""
    if format is Format.TABLE:
        echo_table(Columns(titles, lines))
    elif format is Format.MARKDOWN:
        echo("\n".join(markdown_table(titles, lines)))
    elif format is Format.CSV:
        echo(csv_text([list(titles), *map(list, lines)]))
    else:
        echo_json([dict(zip(titles, line, strict=True)) for line in lines])


def show_board(board: Leaderboard, most: int | None = MOST_ROWS) -> None:
    """Print the sentences and the table of a board; a row is bold only when it alone can be the best.

    Of the rows at most `most` are shown, the baselines among them and the others from the top; None = all.
    """
    text = compact(board)
    dispensable = ("parameters", "worst class", "weights", "image_size", "seed sd", "training", "gap to best")
    droppable = [title for title in dispensable if title in text.titles]
    tied = board.table["tied_with_best"].to_numpy("bool", na_value=False).nonzero()[0].tolist()
    for sentence in board.sentences:
        echo_sentence(sentence)
    if text.lines:
        shown = _top_rows(board, most)
        lines = [text.lines[place] for place in shown]
        echo_table(Columns(text.titles, lines, droppable), bold=tied if len(tied) == 1 else ())
        left = len(text.lines) - len(shown)
        if left:
            echo(f"{left} more {'row' if left == 1 else 'rows'}: leaderboard.md, report.html or bench leaderboard")


def _top_rows(board: Leaderboard, most: int | None) -> list[int]:
    """The places of the rows that are shown."""
    baselines = (board.table["status"] == "baseline").to_numpy().nonzero()[0].tolist()
    others = [place for place in range(len(board.table)) if place not in baselines]
    return sorted([*others, *baselines] if most is None else [*others[: max(0, most - len(baselines))], *baselines])


def load_records(directory: Path) -> list[RunRecord]:
    """The records of a sweep; each run whose files are damaged is left out with a warning, and makes the exit code 2.

    Raises:
        NoRuns: there is none in this folder.
        BrokenRecord: none of them is whole.
    """
    records, broken = store.survey(directory)
    if broken and not records:
        raise store.BrokenRecord(broken[0].sentence)
    for run in broken:
        warn(run.sentence, DATA)
    if not records:
        inside = sorted(path.parent.name for path in directory.glob("*/runs"))
        hint = f"give one of its sweeps: {', '.join(inside[:5])}" if inside else "run `python -m benchmark` first"
        raise NoRuns(f"found no run in {directory}; expected a sweep's folder with runs/ in it: {hint}")
    return records


def load_board(directory: Path) -> Leaderboard:
    """The leaderboard of a sweep, from its records and predictions."""
    return _board(directory, load_records(directory))


def _board(directory: Path, records: list[RunRecord]) -> Leaderboard:
    return boards.build(records, lambda record: store.load_predictions(directory, record.run_id), records[0].primary)


def _without(records: list[RunRecord], patterns: Sequence[str]) -> Kept:
    """The records of the candidates that no pattern fits.

    Raises:
        NothingLeft: a pattern fits no candidate, or no candidate is left.
    """
    names = {record.candidate for record in records}
    gone: set[str] = set()
    for pattern in patterns:
        fits = set(fnmatch.filter(names, pattern))
        if not fits:
            near = min(names, key=lambda name: (pattern.strip("*") not in name, name))
            raise NothingLeft(
                f"found no candidate that fits --without {pattern}; expected a pattern for whole names, such as "
                f"{near}: * stands for any letters"
            )
        gone |= fits
    left = [record for record in records if record.candidate not in gone]
    if not left:
        raise NothingLeft("found no candidate left by --without; expected one at least: give narrower patterns")
    if not gone:
        return Kept(left, ())
    sentence = (
        f"{len(gone)} of {len(names)} candidates are left out of this view (--without {' '.join(patterns)}): its 95 % "
        "hold if they were left out for another reason than their scores."
    )
    return Kept(left, (sentence,))


def _show_costs(board: Leaderboard, spent: pd.DataFrame, format: Format) -> None:
    """Print what each row costs, in the board's order."""
    if format is Format.CSV:
        echo(to_csv(spent))
    elif format is Format.JSON:
        rows = [{str(name): plain(value) for name, value in row.items()} for row in spent.to_dict("records")]
        echo_json({"primary": board.primary, "sentences": cheapest(spent), "rows": rows})
    else:
        text = compact_costs(board, spent)
        for sentence in cheapest(spent):
            echo(f"- {escaped(sentence)}" if format is Format.MARKDOWN else sentence)
        if format is Format.MARKDOWN:
            echo("\n".join(["", *markdown_table(text.titles, text.lines)]))
        else:
            echo_table(Columns(text.titles, text.lines, [title for title in _DISPENSABLE if title in text.titles]))


def plain(value: Any) -> Any:
    """The value as JSON knows it; null for what is missing."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
