"""Commands that look at pictures before any model does: audit, prepare, cache."""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmark import store
from benchmark.cli.dataset_options import OptionError, dataset_of
from benchmark.cli.output import Columns, Format, echo, echo_table
from benchmark.report.audit_folder import KeptAudit, json_text, keep
from benchmark.report.page import shown
from benchmark.wording import counted
from datasets.audit import Audit
from datasets.audit import audit as look_through
from datasets.audit_summary import rejected_by_reason
from datasets.copying import Encoding, copy_cleaned
from datasets.manifest import QUARANTINE, to_csv_text
from datasets.stored import KINDS, clear, stored

_SHOWN_CLASSES = 30
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[DIR] [KEY=VALUE]...", help="The folder (or CSV file), then options as in conf/dataset."),
]
Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Where audits/ and .cache/ are.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes that decode; all cores if not given.")]
Name = Annotated[str | None, typer.Option(help="Names the audit; the folder's name if not given.")]
Source = Annotated[str | None, typer.Option(help="folder, given_split, table, digits or shapes.")]
NearDistance = Annotated[str | None, typer.Option(metavar="BITS", help="0..24 bits, or null: equal pixels only.")]
Copies = Annotated[str | None, typer.Option(help="group, drop or ignore.")]
GroupPattern = Annotated[str | None, typer.Option(metavar="REGEX", help="Equal matches in a path stay together.")]
Split = Annotated[str | None, typer.Option(help="holdout, kfold or given.")]


class ResizeRule(StrEnum):
    """How a picture becomes square: proportions lost, edges lost, or black bars added."""

    SQUISH = "squish"
    CROP = "crop"
    PAD = "pad"


class FileFormat(StrEnum):
    """The format of every picture of a copy."""

    PNG = "png"
    JPG = "jpg"
    WEBP = "webp"


class CacheAction(StrEnum):
    """What to do with the cache."""

    SHOW = "show"
    CLEAR = "clear"


def audit(
    words: Words = None,
    name: Name = None,
    source: Source = None,
    near_distance: NearDistance = None,
    copies: Copies = None,
    group_pattern: GroupPattern = None,
    split: Split = None,
    results: Results = Path("results"),
    workers: Workers = None,
    format: Annotated[Format, typer.Option("--format", "-f", help="table, or json: summary.json.")] = Format.TABLE,
) -> None:
    """Look through a folder of pictures as a sweep does, and report what is in it.

    Writes results/audits/NAME/: manifest.csv, quarantine.csv, copies.csv, summary.json and audit.html. Nothing of
    yours is moved, renamed or deleted.

    \b
    Examples:
      bench audit pictures
      bench audit pictures --near-distance 2 --group-pattern '(album\\d+)' max_per_class=500
      bench audit DIR --source given_split 'parts={train: train, val: test}'
      bench audit labels.csv root=pictures label_column=class
    """
    if format not in (Format.TABLE, Format.JSON):
        raise OptionError(f"found --format {format.value}; expected table or json")
    named = {
        "near_distance": near_distance,
        "copies": copies,
        "group_pattern": None if group_pattern is None else json.dumps(group_pattern),
        "split": split,
    }
    given = [f"{key}={value}" for key, value in named.items() if value is not None]
    dataset = dataset_of([*(words or []), *given], name, source)
    with _interruptible(), _bar("looking at the pictures") as progress:
        seen = look_through(dataset.spec, dataset.location, results.absolute() / ".cache", _cores(workers), progress)
    kept = keep(seen, results)
    if format is Format.JSON:
        echo(json_text(kept.summary))
        return
    for line in _lines(seen, kept):
        echo(line)


def prepare(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the pictures; it stays as it is.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The copy: a folder that is empty or not there.")],
    size: Annotated[int, typer.Option(min=8, max=4096, help="Pixels a side.")] = 256,
    resize: Annotated[ResizeRule, typer.Option(help="How pictures become square.")] = ResizeRule.CROP,
    format: Annotated[
        FileFormat, typer.Option(help="png and webp lose nothing; jpg is of quality 95.")
    ] = FileFormat.PNG,
    results: Results = Path("results"),
    workers: Workers = None,
) -> None:
    """Write a cleaned copy of a folder: readable pictures only, square, in one format, without their metadata.

    Of equal pictures in one folder the first is taken. What is left out is listed beside OUT, in OUT-quarantine.csv.

    \b
    Example:
      bench prepare pictures pictures256 --size 256 --resize crop --format png
    """
    encoding = Encoding(size, resize.value, format.value)
    with _interruptible(), _bar("copying the pictures") as progress:
        copied = copy_cleaned(directory, out, encoding, results.absolute() / ".cache", _cores(workers), progress)
    before, after = copied.bytes_before / 1e6, copied.bytes_after / 1e6
    saved = f", {1 - after / before:.0%} saved" if before > after else ""
    echo(f"{copied.pictures} pictures in {out}: {before:.1f} MB before, {after:.1f} MB now{saved}")
    if copied.enlarged:
        echo(f"note: {copied.enlarged} pictures had a shorter side below {size} px and were enlarged")
    if len(copied.rejected):
        path = out.with_name(f"{out.name}-{QUARANTINE}")
        store.write_text(path, to_csv_text(copied.rejected))
        counts = "; ".join(f"{count} {shown(kind)}" for kind, count in rejected_by_reason(copied.rejected).items())
        echo(f"left out: {len(copied.rejected)} ({counts}), listed in {path}")


def cache(
    action: Annotated[CacheAction, typer.Argument(help="What to do with it.")],
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(KINDS)}; all if not given.")] = None,
    results: Results = Path("results"),
) -> None:
    """Show or clear what is kept so that no picture is decoded twice; all of it can be made again.

    \b
    Examples:
      bench cache show
      bench cache clear pixels
    """
    folder = results / ".cache"
    if action is CacheAction.CLEAR:
        removed = clear(folder, kind)
        echo(f"removed {sum(one.bytes for one in removed) / 1e6:.1f} MB from {folder}")
        return
    kinds = stored(folder, kind)
    lines = [(one.kind, f"{one.files}", f"{one.bytes / 1e6:.1f}", _when(one.changed), KINDS[one.kind]) for one in kinds]
    echo(f"{folder}: {sum(one.bytes for one in kinds) / 1e6:.1f} MB")
    echo_table(Columns(("kind", "files", "MB", "last changed", "what"), lines, droppable=("what",)))


def _when(seconds: float | None) -> str:
    return "" if seconds is None else datetime.datetime.fromtimestamp(seconds).isoformat(" ", "minutes")


def _lines(seen: Audit, kept: KeptAudit) -> Iterator[str]:
    """What a person wants to know first."""
    content = kept.summary
    splits = ", ".join(f"{count} {split}" for split, count in content["splits"].items())
    yield f"{content['name']}: {content['pictures']} pictures in {len(content['classes'])} classes: {splits}"
    for name, counts in list(content["classes"].items())[:_SHOWN_CLASSES]:
        yield f"  {shown(name)}: {', '.join(f'{count} {split}' for split, count in counts.items())}"
    if len(content["classes"]) > _SHOWN_CLASSES:
        yield f"  and {len(content['classes']) - _SHOWN_CLASSES} more"
    known = seen.looked.remembered
    yield f"{seen.looked.files} files: {known} known from an earlier look, {seen.looked.files - known} opened"
    rejected = content["rejected"]
    reasons = "; ".join(f"{count} {shown(reason)}" for reason, count in rejected.items())
    yield f"left out: {sum(rejected.values())}" + (f" ({reasons})" if reasons else "")
    same, conflicts = content["copies"]["same_label"], content["copies"]["conflicts"]
    distance = seen.spec.near_distance
    near = "the same pixels" if distance is None else f"the same pixels, or hashes of at most {distance} other bits"
    yield f"copies with one label ({near}): {_extent(same)}"
    yield f"conflicts, one picture with two labels: {_extent(conflicts)}"
    for pair, count in content["leaks"].items():
        yield f"leak {pair}: {count} pictures"
    for note in content["notes"]:
        yield f"note: {shown(note, 700)}"
    for sentence in content["suggestions"]:
        yield f"suggestion: {shown(sentence, 700)}"
    yield f"fingerprint {content['fingerprint']}"
    state = "" if kept.written else " (unchanged)"
    state = " (in place of an earlier audit of this name; --name keeps both)" if kept.replaced else state
    yield f"report: {kept.path / 'audit.html'}{state}"


def _extent(copies: Mapping[str, int]) -> str:
    return f"{counted(copies['pictures'], 'picture')} in {counted(copies['groups'], 'group')}"


def _cores(workers: int | None) -> int:
    if workers is not None:
        return workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _interruptible() -> Iterator[None]:
    """Say on Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted: what was looked at is remembered; the same command again goes on from there", err=True)
        raise


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr that the yielded function moves: (done, total); None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
