"""Ahead: a little of the work to come is done in the background while what is done is used."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


def ahead(work: Callable[[Item], Done], items: Iterable[Item], threads: int) -> Iterator[Done]:
    """The work done on each item, in order; so many items are begun before their turn, each in a thread of its own.

    Items are drawn one after the other by whoever draws from this iterator.
    """
    waiting = iter(items)
    with ThreadPoolExecutor(threads) as background:
        begun = deque(background.submit(work, item) for item in itertools.islice(waiting, threads))
        while begun:
            done = begun.popleft().result()
            begun.extend(background.submit(work, item) for item in itertools.islice(waiting, 1))
            yield done


def timed(items: Iterable[Item]) -> Iterator[tuple[Item, float]]:
    """Each item with the seconds until it was there."""
    start = time.perf_counter()
    for item in items:
        yield item, time.perf_counter() - start
        start = time.perf_counter()
