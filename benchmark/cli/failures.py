"""The command that lists the runs without a result, with the end of their logs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from benchmark import claims, store
from benchmark.cli.boards import Sweep, load_records, show
from benchmark.cli.output import Format, FormatOption, echo
from benchmark.jobs import WORKER_LOG
from benchmark.records import Failure, RunRecord

KILLED = Failure(kind="", message="the sweep that was at it ended without a word; the same command again does it")
LEAST_LINES = 20
"""Lines of a log that are shown where it holds no traceback."""
_TRACEBACK = "Traceback (most recent call last)"

Most = Annotated[int, typer.Option("--lines", min=0, help="Lines of the log at most; 0 = none.")]


class Failed(NamedTuple):
    """A run without a result, in text."""

    run: str
    status: str
    kind: str
    message: str
    log: str
    command: str
    end: str
    """The last traceback of the log, or its last lines."""


def failures(directory: Sweep, format: FormatOption = Format.TABLE, lines: Most = 60) -> None:
    """List the runs without a result: why, with the traceback of what nobody expected, and how to run them again.

    A run whose sweep was killed counts as interrupted. Runs that failed alike are listed together, and the log of
    the first is shown where the sentence does not say all.
    JSON and CSV hold one row a run, each with the end of its log.

    \b
    Examples:
      bench failures results/digits
      bench failures results/digits --lines 0
      bench failures results/digits --format json
    """
    records = [record for record in load_records(directory) if not record.finished]
    under_way = {record.run_id for record in records if claims.is_under_way(directory, record)}
    tried = [one for one in records if one.status != "pending" and one.run_id not in under_way]
    failed = [_failed(directory, record, lines) for record in tried]
    if format is not Format.TABLE:
        show(Failed._fields, failed, format)
        return
    alike: dict[tuple[str, str, str], list[Failed]] = {}
    for run in failed:
        alike.setdefault((run.status, run.kind, run.message), []).append(run)
    for runs in sorted(alike.values(), key=len, reverse=True):
        echo("\n".join(_told(runs, with_log=lines > 0)) + "\n\n")
    waiting = len(records) - len(tried) - len(under_way)
    interrupted = sum(run.status == "interrupted" for run in failed)
    ended = len(failed) - interrupted
    counts = [f"{interrupted} interrupted"] if interrupted else []
    counts = [f"{ended} {'run' if ended == 1 else 'runs'} failed", *counts] if ended or not counts else counts
    counts += [f"{len(under_way)} under way"] if under_way else []
    counts += [f"{waiting} not yet run"] if waiting else []
    echo(", ".join(counts))


def _failed(directory: Path, record: RunRecord, lines: int) -> Failed:
    """The run in text; a worker that ended before its run began has printed to the log of the workers."""
    own, workers = store.run_directory(directory, record.run_id) / "log.txt", directory / WORKER_LOG
    log = workers if workers.is_file() and not own.is_file() else own
    status, failure = ("interrupted", KILLED) if record.status == "running" else (record.status, record.failure)
    kind, message = (failure.kind, failure.message) if failure else ("", "")
    return Failed(record.run_id, status, kind, message, str(log), record.command, log_end(log, lines))


def _told(runs: Sequence[Failed], with_log: bool) -> list[str]:
    """What happened, the end of the first log, then each run with its command."""
    first = runs[0]
    count = f"{len(runs)} runs " if len(runs) > 1 else ""
    reason = Failure(kind=first.kind, message=first.message).told
    told = [f"{count}{first.status}" + (f": {reason}" if reason else ""), f"  log: {first.log}"]
    if with_log and not _says_all(first):
        told += [f"    {line}" for line in first.end.splitlines()] or ["    (nothing to show)"]
    for run in runs:
        told += [f"  {run.run}", f"    again: {run.command}"]
    if first.status == "timeout":
        told.append("  give it with a higher sweep.timeout_minutes: with the same one it ends alike")
    return told


def _says_all(run: Failed) -> bool:
    """Whether the message is one of ours, which says what to do, so that a traceback adds nothing."""
    # A traceback ends with the error's full name, such as backbones.weights.MissingWeights.
    ours = re.search(rf"^(benchmark|backbones|datasets)\.[\w.]*\b{re.escape(run.kind)}(:|$)", run.end, re.MULTILINE)
    refused = re.search(rf"^{re.escape(run.kind)}: \[Errno \d+\]", run.end, re.MULTILINE)
    return run.status in ("timeout", "oom", "interrupted") or bool(ours or refused)


def log_end(log: Path, most: int) -> str:
    """The last traceback of a log and what follows it, or its last lines; at most so many, harmless to a terminal."""
    if not log.is_file() or most == 0:
        return ""
    lines = log.read_text("utf-8", errors="replace").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(_TRACEBACK)]
    shown = lines[starts[-1] :] if starts else lines[-LEAST_LINES:]
    left = len(shown) - most
    if left > 0:
        shown = [f"... {left} lines before: see the log", *shown[left:]]
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in shown)
