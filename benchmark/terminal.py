"""What a sweep says while it works: one line a run, a bar where a person waits, the board at the end."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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

    def __init__(self, directory: Path) -> None:
        """A sweep that collects in this folder."""
        self._directory = directory
        self._console = Console(highlight=False, soft_wrap=True)
        self._todo = 0
        self._done = 0
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(escape(text))

    def progress(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A bar that the yielded function moves: (done, total)."""
        return progress(what, self._console)

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

    def say_plan(self, asked: int, todo: int, again: int) -> None:
        """What is there and what will be done."""
        self._todo = todo
        new = todo - again
        self.say(f"{_runs(asked)}: {asked - todo} finished" + (f", {again} again" if again else "") + f", {new} new")

    def say_start(self, record: RunRecord) -> None:
        """A run begins; shown only where the line can be replaced."""
        if self._console.is_terminal:
            self._console.print(f"[dim]{self._done + 1}/{self._todo} {escape(record.run_id)} ...[/dim]", end="\r")

    def say_run(self, record: RunRecord) -> None:
        """A run ended."""
        self._done += 1
        if record.finished and record.cost:
            score = f"val {record.primary} {record.val[record.primary]:.3f}, {record.cost.seconds_total:.1f} s"
        else:
            score = record.failure.message if record.failure else ""
        self.say(f"{self._done}/{self._todo} {record.run_id}: {record.status}, {score}")
        for note in record.notes:
            if note not in self._said:
                self._said.add(note)
                self.say(f"note: {note}")

    def say_end(self, uri: str | None, unfinished: list[RunRecord]) -> None:
        """Where everything is, and what to do next."""
        self.say(f"files: {_short(self._directory)}/leaderboard.csv, leaderboard.md, costs.csv, runs.csv, runs/")
        if unfinished:
            self.say(f"{_runs(len(unfinished))} without a result: {_bench()} failures {_short(self._directory)}")
        if uri:
            self.say(f"MLflow: {_bench()} ui {_short(self._directory.parent)}")


def _bench() -> str:
    """How this environment's `bench` is called from here."""
    script = Path(sys.executable).parent / "bench"
    return "bench" if shutil.which("bench") == str(script) or not script.exists() else _short(script)


def _short(path: Path) -> str:
    """The path, relative to the current folder when it lies below it, as a shell takes it."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _runs(number: int) -> str:
    """`1 run`, `12 runs`."""
    return f"{number} run" if number == 1 else f"{number} runs"
