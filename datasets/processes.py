"""A pool of processes for work on files, light to start and never left behind.

The children are started afresh (spawn), because a process with threads cannot be forked safely.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]


class WorkersDied(RuntimeError):
    """The processes of a pool were killed from outside."""


def is_worth_a_pool(files: int, total_bytes: int) -> bool:
    """Whether decoding these files takes so long (150 us a file, 30 ns a byte) that starting processes pays."""
    return files * 1.5e-4 + total_bytes * 3e-8 > 3


@contextmanager
def process_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool whose children leave Ctrl-C to the parent and end when the parent is gone."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def completed(
    pool: ProcessPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[tuple[Item, Future[Result]]]:
    """Each item with its finished future, in the order of completion; at most `ahead` items are under way."""
    todo = iter(items)
    running: dict[Future[Result], Item] = {}
    while True:
        for item in todo:
            running[pool.submit(work, item)] = item
            if len(running) >= ahead:
                break
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
