"""Commands that look at pictures before any model does: audit, prepare, cache."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmark.cli.dataset_options import OptionError, is_override, options_of, overridden
from benchmark.cli.output import Format, echo
from benchmark.report.audit_folder import KeptAudit, json_text, keep
from benchmark.report.page import shown
from datasets.audit import Audit
from datasets.audit import audit as look_through
from datasets.spec import Dataset, dataset_from_mapping

_SHOWN_CLASSES = 30
_ANY_SIZE = 224
"""Stands in for the image size, which plays no part in an audit."""

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
    dataset = _dataset([*(words or []), *given], name, source)
    with _interruptible(), _bar("looking at the pictures") as progress:
        seen = look_through(dataset.spec, dataset.location, results.absolute() / ".cache", _cores(workers), progress)
    kept = keep(seen, results)
    if format is Format.JSON:
        echo(json_text(kept.summary))
        return
    for line in _lines(seen, kept):
        echo(line)


def _dataset(words: list[str], name: str | None, source: str | None) -> Dataset:
    """What the words of the command ask for, on top of conf/dataset."""
    places = [Path(word).expanduser() for word in words if not is_override(word)]
    overrides = [word for word in words if is_override(word)]
    if len(places) > 1:
        raise OptionError(f"found two folders, {places[0]} and {places[1]}; expected one and KEY=VALUE words")
    place = places[0] if places else None
    named = [word.partition("=")[2] for word in overrides if word.removeprefix("dataset.").startswith("source=")]
    source = source or (named[-1] if named else "table" if place is not None and place.is_file() else "folder")
    options = options_of(source)
    if place is None and source not in ("digits", "shapes"):
        raise OptionError("found no folder; expected bench audit DIR, or --source digits or shapes")
    if place is not None:
        options["table" if source == "table" else "root"] = str(place)
    options["name"] = name or (plain_name(place) if place is not None else source)
    options = overridden(options, overrides)
    options["image_size"] = options["image_size"] or _ANY_SIZE
    if options["split"] == "kfold" and options["fold"] is None:
        options["fold"] = 0
    for key in ("root", "table"):
        options[key] = None if options[key] is None else Path(options[key]).expanduser().absolute()
    dataset = dataset_from_mapping(options)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", dataset.spec.name):
        raise OptionError(f"found the name {dataset.spec.name!r}; expected letters, digits, '.', '_' and '-'")
    return dataset


def plain_name(place: Path) -> str:
    """A name for the audit made from the folder's own."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", place.resolve().stem).strip("-.")[:100]
    return name or "pictures"


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
    yield f"copies with one label: {same['pictures']} pictures in {same['groups']} groups"
    yield f"conflicts, one picture with two labels: {conflicts['pictures']} pictures in {conflicts['groups']} groups"
    for pair, count in content["leaks"].items():
        yield f"leak {pair}: {count} pictures"
    for note in content["notes"]:
        yield f"note: {shown(note, 700)}"
    for sentence in content["suggestions"]:
        yield f"suggestion: {shown(sentence, 700)}"
    yield f"fingerprint {content['fingerprint']}"
    yield f"report: {kept.path / 'audit.html'}" + ("" if kept.written else " (unchanged)")


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
