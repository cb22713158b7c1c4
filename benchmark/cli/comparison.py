"""The command that compares two boards."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark import store
from benchmark.board import leaderboard as boards
from benchmark.board.candidates import gather
from benchmark.board.change import Side
from benchmark.board.columns import written
from benchmark.board.diff import DIFF_KINDS, UNCHANGED, Diff
from benchmark.board.diff import diff as compare_boards
from benchmark.board.markdown import markdown_table
from benchmark.board.reading import read_board
from benchmark.board.sentences import change_text, score_text
from benchmark.cli.boards import load_records, plain
from benchmark.cli.output import Columns, Format, FormatOption, echo, echo_json, echo_table
from benchmark.errors import DONE, NOT_COMPARABLE, REGRESSION, ConfigurationError
from benchmark.records import RunRecord
from benchmark.report.diff import diff_page

TITLES = ("", "candidate", "ranks", "score", "difference [95 %]", "p", "status")


class FailOn(StrEnum):
    """What makes the exit code 4."""

    NEVER = "never"
    REGRESSION = "regression"


Left = Annotated[Path, typer.Argument(metavar="A", help="The older board: a sweep's folder or a leaderboard.csv.")]
Right = Annotated[Path, typer.Argument(metavar="B", help="The newer board.")]
OnlyChanged = Annotated[bool, typer.Option("--only-changed", help="Leave out rows that are the same (= and ~).")]
Fail = Annotated[FailOn, typer.Option("--fail-on", help="regression: exit code 4 when a row is worse or newly failed.")]

By = Annotated[
    str,
    typer.Option(metavar="COLUMNS", help="Pair rows that are the same in these columns, such as backbone,head."),
]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write it as a page that needs no network.")]


def diff(
    left: Left, right: Right, format: FormatOption = Format.TABLE, only_changed: OnlyChanged = False,
    fail_on: Fail = FailOn.NEVER, html: Html = None, by: By = "",
) -> int:  # fmt: skip
    """Compare two boards: what is better, worse, new, gone, fixed or broken, and what else changed.

    Two folders are compared by a paired test on the shared test pictures; two CSV files by their intervals. Marks: +
    better, - worse, ~ not significant, = same, new, gone, * fixed failure, ! new failure, x not comparable.

    Rows are paired when all their options are the same. With one option changed, --by says what a pair has in common:
    some of backbone, head, finetune, weighting, augmentation, image_size, weights, training, variant.

    \b
    Examples:
      bench diff results/before results/after
      bench diff old.csv new.csv --only-changed --fail-on regression
      bench diff results/before results/after --html changes.html
      bench diff results/slow results/fast --by backbone,head
      git config difftool.bench.cmd 'bench diff "$LOCAL" "$REMOTE"'
    """
    found = compare_boards(_side(left), _side(right), [name.strip() for name in by.split(",") if name.strip()])
    rows = found.table[~found.table["mark"].isin(UNCHANGED)] if only_changed else found.table
    records = [{str(key): plain(value) for key, value in row.items()} for row in rows.to_dict("records")]
    if format is Format.JSON:
        changes = {key: list(pair) for key, pair in found.changes.items()}
        echo_json({"comparable": found.comparable, "sentences": found.sentences, "changes": changes, "rows": records})
    elif format is Format.CSV:
        echo(written(rows, DIFF_KINDS))
    else:
        _show(found, records, format)
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        store.write_text(html, diff_page(replace(found, table=rows), str(left), str(right)))
        typer.echo(f"wrote {html}", err=True)
    if not found.comparable:
        return NOT_COMPARABLE
    return REGRESSION if fail_on is FailOn.REGRESSION and found.regressions else DONE


def _side(path: Path) -> Side:
    """A board from a file, or from a folder with its records and predictions."""
    if path.is_dir():
        records = load_records(path)
        load = partial(_predictions, path)
        table = boards.build(records, load, records[0].primary).table
        candidates = {candidate.name: candidate for candidate in gather(records, records[0].primary)}
        return Side(str(path), table, candidates, load)
    if not path.exists():
        raise ConfigurationError(f"found no {path}; expected a sweep's folder or a leaderboard.csv")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"found no text in {path}; expected a leaderboard.csv in UTF-8") from error
    return Side(str(path), read_board(text, str(path)))


def _predictions(directory: Path, record: RunRecord) -> Any:
    return store.load_predictions(directory, record.run_id)


def _show(found: Diff, records: list[dict[str, Any]], format: Format) -> None:
    """The rows and the sentences for people."""
    lines = [_line(row) for row in records]
    if format is Format.MARKDOWN:
        echo("\n".join([*(f"- {sentence}" for sentence in found.sentences), "", *markdown_table(TITLES, lines)]))
        return
    for sentence in found.sentences:
        echo(sentence)
    if lines:
        echo_table(Columns(TITLES, lines, ("status", "p")))


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    """One row as text: `before -> after` where both sides have something to say."""
    texts = {key: "" if value is None else str(value) for key, value in row.items()}
    left, right = ("" if row[key] is None else score_text(row[key]) for key in ("score_left", "score_right"))
    low, high, difference = row["difference_low"], row["difference_high"], row["difference"]
    change = "" if difference is None else change_text(difference)
    if change and low is not None and high is not None:
        change += f" [{change_text(low)}, {change_text(high)}]"
    return (
        texts["mark"],
        _arrow(texts["candidate_left"], texts["candidate"]),
        _arrow(texts["ranks_left"], texts["ranks_right"]),
        _arrow(left, right),
        change,
        "" if row["p_value"] is None else f"{row['p_value']:.3f}",
        _arrow(texts["status_left"], texts["status_right"]),
    )


def _arrow(before: str, after: str) -> str:
    """`1-2 -> 3`, or the one value where nothing changed or only one side has it."""
    return before if before == after or not after else after if not before else f"{before} -> {after}"
