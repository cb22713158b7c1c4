"""Commands that ask a sweep: what does a choice change, and how much more would settle the top?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmark import store
from benchmark.board.columns import written
from benchmark.board.effect_tables import (
    TextTable,
    effect_rows,
    effects_csv,
    effects_markdown,
    primary_table,
    recall_table,
)
from benchmark.board.effects import find_effects
from benchmark.board.evidence import Load
from benchmark.board.markdown import markdown_table
from benchmark.board.power import LEAST_TOLD, POWER_KINDS, power_table
from benchmark.board.power import power as find_power
from benchmark.cli.boards import Sweep, load_records, plain
from benchmark.cli.output import Columns, Format, FormatOption, echo, echo_json, echo_table
from benchmark.errors import ConfigurationError

References = Annotated[
    list[str] | None,
    typer.Option("--reference", metavar="AXIS=LEVEL", help="Compare with this level of the axis; may be repeated."),
]


Top = Annotated[int, typer.Option(min=2, help="How many of the best rows are looked at.")]


def effects(directory: Sweep, reference: References = None, format: FormatOption = Format.TABLE) -> None:
    """Say what each weighting, augmentation, head, way of fine-tuning or image size changes, all else being equal.

    Candidates are paired that differ in nothing else; the difference of the primary metric is given for each backbone
    and over all of them, that of every class's recall over all. Above 0 is better than the reference: weighting none,
    augmentation none, head linear, finetune frozen, the smallest image_size, weights imagenet, pooling avg; where
    nobody has it, the most frequent level. The intervals hold all together, those on the primary metric and those on
    recalls each in 95 % of sweeps. Who has no partner is named, with CSV on stderr.

    \b
    Examples:
      bench effects results/digits
      bench effects results/digits --reference head=dense --reference image_size=64
      bench effects results/digits --format csv > effects.csv
    """
    records = load_records(directory)
    found = find_effects(records, _predictions(directory), records[0].primary, _references(reference or []))
    if format is Format.CSV:
        echo(effects_csv(found))
        _aside(found.sentences)
    elif format is Format.MARKDOWN:
        echo(effects_markdown(found))
    elif format is Format.JSON:
        unmatched = [one._asdict() for one in found.unmatched]
        content = {"primary": found.primary, "sentences": found.sentences, "effects": effect_rows(found)}
        echo_json(content | {"unmatched": unmatched})
    else:
        _print(found.sentences, [primary_table(found), recall_table(found)], ("pairs", "p", "against"))


def power(directory: Sweep, top: Top = 5, format: FormatOption = Format.TABLE) -> None:
    """Say how many more seeds or test images would tell the candidates at the top apart.

    For every pair of the best rows that the board cannot tell apart: the gap seen now, the smallest gap that this board
    could tell, and what it would take, with probability .8, if the gap seen now is the true one. Empty where no number
    within reach is enough.

    \b
    Examples:
      bench power results/digits
      bench power results/digits --top 3 --format csv > power.csv
    """
    records = load_records(directory)
    found = find_power(records, _predictions(directory), records[0].primary, top)
    if format is Format.JSON:
        pairs = [{str(key): plain(value) for key, value in row.items()} for row in found.table.to_dict("records")]
        echo_json({"primary": records[0].primary, "sentences": found.sentences, "pairs": pairs})
    elif format is Format.CSV:
        echo(written(found.table, POWER_KINDS))
        _aside(found.sentences)
    else:
        table = power_table(found)
        if format is Format.MARKDOWN:
            lines = markdown_table(table.titles, table.lines) if table.lines else []
            echo("\n".join([*(f"- {sentence}" for sentence in found.sentences), "", *lines]))
        else:
            _print(found.sentences, [table], LEAST_TOLD)


def _references(words: Sequence[str]) -> dict[str, str]:
    """From `head=dense` to `{"head": "dense"}`."""
    pairs = [word.partition("=") for word in words]
    for word, (axis, _, level) in zip(words, pairs, strict=True):
        if not axis or not level:
            raise ConfigurationError(f"found --reference {word}; expected AXIS=LEVEL, such as --reference head=dense")
    return {axis: level for axis, _, level in pairs}


def _predictions(directory: Path) -> Load:
    return lambda record: store.load_predictions(directory, record.run_id)


def _print(sentences: Sequence[str], tables: Sequence[TextTable], droppable: Sequence[str]) -> None:
    for sentence in sentences:
        echo(sentence)
    for table in tables:
        if table.lines:
            present = [title for title in droppable if title in table.titles]
            echo_table(Columns(table.titles, table.lines, present))


def _aside(sentences: Sequence[str]) -> None:
    """Print on stderr, so that a table on stdout stays a table."""
    for sentence in sentences:
        typer.echo(sentence, err=True)
