"""Commands that read one sweep: its leaderboard and its failures; and the list of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from benchmark import metrics as known_metrics
from benchmark import store
from benchmark.board import leaderboard as boards
from benchmark.board.columns import csv_text
from benchmark.board.markdown import compact, markdown_table
from benchmark.board.table import Leaderboard
from benchmark.cli.output import Columns, Format, FormatOption, echo, echo_json, echo_table, warn
from benchmark.errors import DATA
from benchmark.records import RunRecord

Sweep = Annotated[Path, typer.Argument(metavar="DIR", help="A sweep's folder, results/<sweep.name>.")]


class NoRuns(ValueError):
    """A folder in which no run was ever planned."""

    exit_code = 1


def leaderboard(directory: Sweep, format: FormatOption = Format.TABLE) -> None:
    """Print the leaderboard of a sweep and what it can and cannot tell.

    Every row has a range of ranks: the places it may hold, all of them right at once in 95 % of boards. `tied` marks
    the rows that may be the best one.

    \b
    Examples:
      bench leaderboard results/digits
      bench leaderboard results/digits --format csv > board.csv
    """
    board = load_board(directory)
    if format is Format.TABLE:
        show_board(board)
    elif format is Format.MARKDOWN:
        echo(boards.to_markdown(board))
    elif format is Format.CSV:
        echo(boards.to_csv(board))
    else:
        rows = [{str(name): plain(value) for name, value in row.items()} for row in board.table.to_dict("records")]
        failures = [run._asdict() for run in board.failures]
        content = {"primary": board.primary, "sentences": board.sentences, "rows": rows, "failures": failures}
        echo_json(content)


def failures(directory: Sweep, format: FormatOption = Format.TABLE) -> None:
    """List the runs without a result, why, and how to run them again.

    \b
    Example:
      bench failures results/digits
    """
    runs = [record for record in load_records(directory) if record.status not in ("ok", "pending", "running")]
    titles = ("run", "status", "kind", "message", "log", "command")
    lines = [
        (
            record.run_id,
            record.status,
            record.failure.kind if record.failure else "",
            record.failure.message if record.failure else "",
            str(store.run_directory(directory, record.run_id) / "log.txt"),
            record.command,
        )
        for record in runs
    ]
    if format is Format.TABLE:
        for line in lines:
            echo(
                "\n".join([line[0], *(f"  {title}: {text}" for title, text in zip(titles[1:], line[1:], strict=True))])
            )
        waiting = sum(record.status in ("pending", "running") for record in load_records(directory))
        noun = "run" if len(lines) == 1 else "runs"
        echo(f"{len(lines)} {noun} failed" + (f", {waiting} not yet run" if waiting else ""))
    else:
        show(titles, lines, format)


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


def show_board(board: Leaderboard) -> None:
    """Print the sentences and the table of a board; a row is bold only when it alone can be the best."""
    text = compact(board)
    dispensable = ("parameters", "worst class", "weights", "image_size", "seed sd", "training", "gap to best")
    droppable = [title for title in dispensable if title in text.titles]
    tied = [index for index, value in enumerate(board.table["tied_with_best"]) if value is True]
    for sentence in board.sentences:
        echo(sentence)
    if text.lines:
        echo_table(Columns(text.titles, text.lines, droppable), bold=tied if len(tied) == 1 else ())


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
    records = load_records(directory)
    return boards.build(records, lambda record: store.load_predictions(directory, record.run_id), records[0].primary)


def plain(value: Any) -> Any:
    """The value as JSON knows it; null for what is missing."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
