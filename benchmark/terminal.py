"""What a sweep says while it works: bars where a person waits, one line a run, the board at the end."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from benchmark.board.table import Leaderboard
from benchmark.bundles import Bundle, passes
from benchmark.credentials import without_credentials
from benchmark.jobs import Tracking
from benchmark.records import RunRecord
from benchmark.report.labels import candidate_labels
from benchmark.screen import Screen, progress
from benchmark.wording import counted
from datasets.audit_summary import rejected_by_reason
from datasets.manifest import QUARANTINE, Manifest


@dataclass
class Under:
    """A run under way."""

    bar: TaskID
    epochs: int
    epoch: int = 0


class _Bars(Progress):
    """A bar for the sweep, one for each of the first runs under way, and below them a line on how it stands."""

    best = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.best:
            yield Text(self.best, no_wrap=True, overflow="ellipsis")


class Terminal:
    """The screen of one sweep."""

    def __init__(self, directory: Path, screen: str, console: Console | None = None) -> None:
        """A sweep that collects in this folder; `screen` is auto, plain or quiet; None = this process's console."""
        self._directory = directory
        self._console = console or Screen(highlight=False, soft_wrap=True)
        self._quiet = screen == "quiet"
        self._lively = screen == "auto" and self._console.is_terminal
        self._todo = 0
        self._done = 0
        self._failed = 0
        self._said: set[str] = set()
        self._is_one_of_many = False
        names = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
        columns = (names, BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn())
        still = not self._lively
        # A speed is measured over the whole sweep: one run may take longer than the half minute that rich looks back.
        self._bars = _Bars(
            *columns, console=self._console, transient=True, disable=still, expand=True, speed_estimate_period=1e9
        )
        self._sweep: TaskID | None = None
        self._runs: dict[str, Under] = {}

    def __enter__(self) -> Terminal:
        """Show the bars of the sweep and of every run that is under way."""
        self._bars.start()
        self._sweep = self._bars.add_task("", total=self._todo)
        self._move()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """One line."""
        if not self._quiet:
            self._console.print(escape(text))

    def warn(self, text: str) -> None:
        """One line that is shown in every mode."""
        self._console.print(escape(text))

    def progress(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A bar that the yielded function moves: (done, total)."""
        return progress(what, self._console) if self._lively else nullcontext(lambda done, total: None)

    def say_data(self, manifest: Manifest) -> None:
        """The pictures, and everything about them that must be said."""
        counts = manifest.table["split"].value_counts()
        splits = ", ".join(f"{counts.get(split, 0)} {split}" for split in ("train", "val", "test"))
        self.say(f"{counted(len(manifest.table), 'picture')} in {len(manifest.classes)} classes: {splits}")
        if len(manifest.rejected):
            reasons = rejected_by_reason(manifest.rejected).items()
            told = ", ".join(f"{count} x {reason}" for reason, count in reasons)
            self.say(f"{counted(len(manifest.rejected), 'file')} left out: {told}")
        for note in manifest.notes:
            self._said.add(note)
            self.say(f"note: {note}")

    def say_quarantine(self) -> None:
        """Where the files that were left out are listed."""
        self.say(f"what is left out, and why: {_short(self._directory / QUARANTINE)}")

    def say_plan(
        self, asked: int, finished: int, again: Counter[str], bundles: Sequence[Bundle], kept: bool = False
    ) -> None:
        """What is there and what will be done: `12 finished, 2 failed -> again, 4 new`.

        `kept`: there are activations in the cache, which are known by content once a network is built.
        """
        self._todo = sum(len(bundle.runs) for bundle in bundles)
        left = asked - finished - self._todo
        parts = [f"{finished} finished", *([f"{left} left as they are"] if left else [])]
        parts += [f"{number} {_STATES.get(status, status)} -> again" for status, number in sorted(again.items())]
        new = self._todo - again.total()
        self.say(f"{counted(asked, 'run')}: {', '.join([*parts, f'{new} new'])}")
        if self._todo > 1:
            stacks = sum(len(bundle.runs) > 1 for bundle in bundles)
            stacked = f", {counted(stacks, 'stack')} of heads" if stacks else ""
            found = passes([run for bundle in bundles for run in bundle.runs])
            saved = f" instead of {found.naive:,}" if found.naive > found.needed else ""
            programs = f"{counted(len(bundles), 'program')}{stacked}"
            most = "at most " if kept and saved else ""
            self.say(f"plan: {programs}; {most}{found.needed:,} picture passes through backbones{saved}")

    def show_bundles(self, bundles: Sequence[Bundle], seconds: float, kept: bool) -> None:
        """The plan, in the order in which it would be carried out; `kept`: there are activations in the cache."""
        if not bundles:
            self.warn("nothing is left to do; nothing was run")
            return
        groups: dict[tuple[str, str, str], list[Bundle]] = {}
        for bundle in bundles:
            spec = bundle.runs[0].spec
            network = spec.backbone.application or spec.backbone.name
            groups.setdefault((network, str(spec.dataset.image_size), spec.finetune.name), []).append(bundle)
        table = Table("network", "size", "fine-tuning", "runs", "programs", "largest stack", "picture passes", box=None)
        for names, some in groups.items():
            runs = [run for bundle in some for run in bundle.runs]
            counts = (len(runs), len(some), max(len(bundle.runs) for bundle in some), passes(runs).needed)
            table.add_row(*(escape(name) for name in names), *(f"{count:,}" for count in counts))
        self._console.print(table)
        less = ", less where the cache keeps activations of earlier sweeps" if kept else ""
        self.warn(f"about {_duration(seconds)}{less}; nothing was run")

    def speak_as_one_of_many(self, notes: Iterable[str]) -> None:
        """Say nothing that another process says for all: how many runs there are, and these notes."""
        self._is_one_of_many = True
        self._said.update(notes)

    def say_start(self, record: RunRecord, epochs: int) -> None:
        """A run begins."""
        if self._lively:
            bar = self._bars.add_task(f"  {escape(record.run_id)}", total=epochs, visible=len(self._runs) < MOST_BARS)
            self._runs[record.run_id] = Under(bar, epochs)
            self._move()

    def say_pictures(self, facts: dict[str, Any]) -> None:
        """So many pictures have passed through a frozen part."""
        run_id, text = facts["run_id"], f"{facts['done']:,} of {facts['of']:,} pictures, {facts['rate']:.0f}/s"
        if run_id in self._runs:
            self._bars.update(self._runs[run_id].bar, description=f"  {escape(run_id)} ({text})")

    def say_epoch(self, run_id: str, row: dict[str, Any]) -> None:
        """An epoch of a run is over."""
        if run_id in self._runs:
            under = self._runs[run_id]
            under.epoch = row["epoch"]
            self._bars.update(under.bar, completed=under.epoch)
            self._move()

    def say_best(self, board: Leaderboard) -> None:
        """The top row so far, with its interval."""
        if len(board.ranked):
            top, score = board.ranked.iloc[0], f"test_{board.primary}"
            interval = f"{top[score]:.3f} [{top[f'{score}_low']:.3f}, {top[f'{score}_high']:.3f}]"
            name = candidate_labels(board.table)[top["candidate"]]
            self._bars.best = f"best so far: {name}, {board.primary} {interval}"

    def say_run(self, record: RunRecord) -> None:
        """A run ended."""
        self._done += 1
        self._failed += not record.finished
        if record.run_id in self._runs:
            self._bars.remove_task(self._runs.pop(record.run_id).bar)
            for under in list(self._runs.values())[:MOST_BARS]:
                self._bars.update(under.bar, visible=True)
        self._move()
        if record.finished and record.cost:
            score = f"val {record.primary} {record.val[record.primary]:.3f}, {record.cost.seconds_total:.1f} s"
        else:
            score = _reason(record)
        tell = self.say if record.finished else self.warn
        count = "" if self._is_one_of_many else f"{self._done}/{self._todo} "
        tell(f"{count}{record.run_id}: {record.status}, {score}")
        for note in record.notes:
            if note not in self._said:
                self._said.add(note)
                self.say(f"note: {note}")

    def say_end(self, tracking: Tracking, unfinished: Sequence[RunRecord]) -> None:
        """What failed, equal reasons once; where everything is; the three commands that a person wants next."""
        here, server = _short(self._directory), tracking.uri if tracking.enabled else None
        if unfinished:
            self.warn(f"{counted(len(unfinished), 'run')} without a result:")
        reasons: dict[str, list[RunRecord]] = {}
        for record in unfinished:
            state = _STATES.get(record.status, record.status)
            reasons.setdefault(f"{state}, {_reason(record)}".removesuffix(", "), []).append(record)
        alike = sorted(reasons.items(), key=lambda item: -len(item[1]))
        for reason, records in alike[:MOST_REASONS]:
            others = f" and {len(records) - 1} more" if len(records) > 1 else ""
            self.warn(f"  {len(records)} x {reason} ({records[0].run_id}{others})")
        if len(alike) > MOST_REASONS:
            self.warn(f"  {len(alike) - MOST_REASONS} other reasons")
        names = ["leaderboard.csv", "leaderboard.md", "report.html", "costs.csv", "runs.csv"]
        there = [name for name in names if (self._directory / name).is_file()]
        self.say(f"files: {here}/{', '.join([*there, 'runs/'])}")
        is_remote = server is not None and server.startswith("http")
        if server is not None and is_remote:
            self.say(f"MLflow: {without_credentials(server)}")
        second = (f"failures {here}", "why runs failed, and how to run them again")
        third = (f"ui {_short(self._directory.parent)}", "every run and curve in MLflow")
        steps = [
            (f"report {here} --open", "the report in a browser"),
            second if unfinished else (f"effects {here}", "what each choice changes"),
            third if tracking.enabled and not is_remote else (f"leaderboard {here} --costs", "what each row costs"),
        ]
        width = max(len(words) for words, _ in steps)
        self.say("next:")
        for words, what in steps:
            self.say(f"  {_bench()} {words.ljust(width)}  # {what}")

    def _move(self) -> None:
        """Draw how far the sweep is; a run under way counts by its epochs, so that the time left is known early."""
        if self._sweep is not None:
            failed = f", {self._failed} failed" if self._failed else ""
            running = f", {len(self._runs)} running" if self._runs else ""
            begun = sum(under.epoch / under.epochs for under in self._runs.values() if under.epochs)
            self._bars.update(self._sweep, completed=self._done + begun, description=f"runs{running}{failed}")


MOST_BARS = 8
"""Runs that have a bar at a time; a stack may hold hundreds."""
MOST_REASONS = 8
"""Reasons for failures that are told at the end."""
_STATES = {"pending": "not begun", "running": "interrupted", "oom": "out of memory", "timeout": "timed out"}
"""How the status of a run is said; one that is still `running` lost its sweep."""


def _reason(record: RunRecord) -> str:
    """`ArithmeticError: the flux capacitor is empty`; empty for a run that was not tried."""
    return record.failure.told if record.failure else ""


def _bench() -> str:
    """How this environment's `bench` is called from here."""
    script = Path(sys.executable).parent / "bench"
    return "bench" if shutil.which("bench") == str(script) or not script.exists() else _short(script)


def _short(path: Path) -> str:
    """The path, relative to the current folder when it lies below it, as a shell takes it."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
