"""What a sweep says while it works: bars where a person waits, one line a run, the board at the end."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmark.board.table import Leaderboard
from benchmark.bundles import Bundle, passes
from benchmark.credentials import without_credentials
from benchmark.jobs import Tracking
from benchmark.records import RunRecord
from datasets.manifest import Manifest


@contextmanager
def progress(what: str, console: Console | None = None) -> Iterator[Callable[[int, int], None]]:
    """A bar that the yielded function moves: (done, total); nothing where lines cannot be replaced."""
    screen = console or Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class Terminal:
    """The screen of one sweep."""

    def __init__(self, directory: Path, screen: str) -> None:
        """A sweep that collects in this folder; `screen` is auto, plain or quiet."""
        self._directory = directory
        self._console = Console(highlight=False, soft_wrap=True)
        self._quiet = screen == "quiet"
        self._lively = screen == "auto" and self._console.is_terminal
        self._todo = 0
        self._done = 0
        self._failed = 0
        self._said: set[str] = set()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=self._console, transient=True, disable=not self._lively)
        self._sweep: TaskID | None = None
        self._runs: dict[str, TaskID] = {}
        self._best = ""

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
        self.say(f"{len(manifest.table)} pictures in {len(manifest.classes)} classes: {splits}")
        if len(manifest.rejected):
            self.say(
                f"{len(manifest.rejected)} files are left out; the reasons are in {self._directory}/quarantine.csv"
            )
        for note in manifest.notes:
            self._said.add(note)
            self.say(f"note: {note}")

    def say_plan(self, asked: int, finished: int, again: Counter[str], bundles: Sequence[Bundle]) -> None:
        """What is there and what will be done: `12 finished, 2 failed -> again, 4 new`."""
        self._todo = sum(len(bundle.runs) for bundle in bundles)
        left = asked - finished - self._todo
        parts = [f"{finished} finished", *([f"{left} left as they are"] if left else [])]
        parts += [f"{number} {_STATES.get(status, status)} -> again" for status, number in sorted(again.items())]
        new = self._todo - again.total()
        self.say(f"{_count(asked, 'run')}: {', '.join([*parts, f'{new} new'])}")
        if self._todo > 1:
            stacks = sum(len(bundle.runs) > 1 for bundle in bundles)
            stacked = f", {_count(stacks, 'stack')} of heads" if stacks else ""
            picture_passes = passes([run for bundle in bundles for run in bundle.runs])
            self.say(
                f"plan: {_count(len(bundles), 'program')}{stacked}; {picture_passes.needed:,} picture passes through "
                f"backbones instead of {picture_passes.naive:,}"
            )

    def show_bundles(self, bundles: Sequence[Bundle], seconds: float) -> None:
        """The plan, in the order in which it would be carried out."""
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
        self.warn(f"about {_duration(seconds)}; nothing was run: launcher.dry_run=true")

    def say_start(self, record: RunRecord, epochs: int) -> None:
        """A run begins."""
        if self._lively:
            self._runs[record.run_id] = self._bars.add_task(f"  {escape(record.run_id)}", total=epochs)

    def say_pictures(self, facts: dict[str, Any]) -> None:
        """So many pictures have passed through a frozen part."""
        run_id, text = facts["run_id"], f"{facts['done']:,} of {facts['of']:,} pictures, {facts['rate']:.0f}/s"
        if run_id in self._runs:
            self._bars.update(self._runs[run_id], description=f"  {escape(run_id)} ({text})")

    def say_epoch(self, run_id: str, row: dict[str, Any]) -> None:
        """An epoch of a run is over."""
        if run_id in self._runs:
            self._bars.update(self._runs[run_id], completed=row["epoch"])

    def say_best(self, board: Leaderboard) -> None:
        """The top row so far, with its interval."""
        if len(board.ranked):
            top, score = board.ranked.iloc[0], f"test_{board.primary}"
            interval = f"[{top[f'{score}_low']:.3f}, {top[f'{score}_high']:.3f}]"
            self._best = f"; best so far {escape(top['candidate'])} {top[score]:.3f} {escape(interval)}"
            self._move()

    def say_run(self, record: RunRecord) -> None:
        """A run ended."""
        self._done += 1
        self._failed += not record.finished
        if record.run_id in self._runs:
            self._bars.remove_task(self._runs.pop(record.run_id))
        self._move()
        if record.finished and record.cost:
            score = f"val {record.primary} {record.val[record.primary]:.3f}, {record.cost.seconds_total:.1f} s"
        else:
            score = record.failure.message if record.failure else ""
        tell = self.say if record.finished else self.warn
        tell(f"{self._done}/{self._todo} {record.run_id}: {record.status}, {score}")
        for note in record.notes:
            if note not in self._said:
                self._said.add(note)
                self.say(f"note: {note}")

    def say_end(self, tracking: Tracking, unfinished: list[RunRecord]) -> None:
        """Where everything is, and the commands that a person wants next."""
        here = _short(self._directory)
        self.say(f"files: {here}/leaderboard.csv, leaderboard.md, report.html, costs.csv, runs.csv, runs/")
        if unfinished:
            self.warn(f"{_count(len(unfinished), 'run')} without a result: {_bench()} failures {here}")
        self.say(f"report: {_bench()} report {here} --open")
        self.say(f"what each choice changes: {_bench()} effects {here}")
        if tracking.enabled and tracking.uri and tracking.uri.startswith("http"):
            self.say(f"MLflow: {without_credentials(tracking.uri)}")
        elif tracking.enabled:
            self.say(f"MLflow: {_bench()} ui {_short(self._directory.parent)}")

    def _move(self) -> None:
        if self._sweep is not None:
            failed = f", {self._failed} failed" if self._failed else ""
            running = f", {len(self._runs)} running" if self._runs else ""
            self._bars.update(self._sweep, completed=self._done, description=f"runs{running}{failed}{self._best}")


_STATES = {"running": "interrupted", "oom": "out of memory", "timeout": "timed out"}
"""How the status of a run that was tried before is said; one that is still `running` lost its sweep."""


def _bench() -> str:
    """How this environment's `bench` is called from here."""
    script = Path(sys.executable).parent / "bench"
    return "bench" if shutil.which("bench") == str(script) or not script.exists() else _short(script)


def _short(path: Path) -> str:
    """The path, relative to the current folder when it lies below it, as a shell takes it."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _count(number: int, what: str) -> str:
    """`1 run`, `12 runs`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
