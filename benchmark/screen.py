"""The screen, or whatever reads what a command prints."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class Screen(Console):
    """A console whose reader may go away, as `head` does: what it no longer reads is not written, and nothing ends."""

    def on_broken_pipe(self) -> None:
        """Called by rich, whose own answer is to end the process with exit code 1."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
