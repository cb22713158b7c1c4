"""Vitals of a process that trains: how far a pass has come, and how much memory it took at most."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from benchmark.model import activations

PASS_FACTS = ("done", "of", "rate")
"""What `benchmark.model.activations` logs about a pass: pictures, of all, a second."""
EVERY = 0.2
"""Seconds between two looks at the memory."""


class Peak:
    """The highest resident memory seen so far, in 10^6 bytes."""

    megabytes = 0.0


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Watch this process's resident memory while the block runs."""
    peak, process, over = Peak(), psutil.Process(), threading.Event()

    def watch() -> None:
        while True:
            peak.megabytes = max(peak.megabytes, process.memory_info().rss / 1e6)
            if over.wait(EVERY):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


@contextmanager
def watched_passes(tell: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Tell how far a pass through a frozen part has come, which its log says every few seconds."""

    class Watcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if isinstance(record.args, tuple) and len(record.args) == len(PASS_FACTS):
                tell(dict(zip(PASS_FACTS, record.args, strict=True)))

    watcher, logger = Watcher(), logging.getLogger(activations.__name__)
    logger.addHandler(watcher)
    try:
        yield
    finally:
        logger.removeHandler(watcher)
