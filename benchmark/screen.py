"""The screen, or whatever reads what a command prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Screen(Console):
    """A console whose reader may go away, as `head` does: what it no longer reads is not written, and nothing ends."""

    def on_broken_pipe(self) -> None:
        """Called by rich, whose own answer is to end the process with exit code 1."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def progress(what: str, console: Console | None = None) -> Iterator[Callable[[int, int], None]]:
    """A bar that the yielded function moves: (done, total); nothing where lines cannot be replaced."""
    screen = console or Screen()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
