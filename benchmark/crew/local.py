"""The crew of this machine: warm worker processes, each replaced when it dies, hangs, grows or has wrong settings."""

from __future__ import annotations

import selectors
from pathlib import Path
from typing import Any, Self

from benchmark import environment
from benchmark.crew.events import Event
from benchmark.crew.process import Worker
from benchmark.jobs import Job, Order, Settings


class LocalCrew:
    """Up to `size` workers, started when first needed."""

    def __init__(self, log: Path, size: int) -> None:
        """What workers print between runs goes to `log`; with GPUs every worker gets one of its own."""
        self._log = log
        self._size = size
        self._workers: list[Worker | None] = [None] * size
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._selector.close()

    @property
    def busy(self) -> list[Order]:
        """The orders that are being carried out."""
        return [worker.order for worker in self._workers if worker and worker.order]

    @property
    def idle(self) -> list[int]:
        """The places whose worker, if there is one, has nothing to do."""
        return [place for place, worker in enumerate(self._workers) if worker is None or worker.order is None]

    def move_log(self, path: Path) -> None:
        """What workers have printed, and will print, between runs goes there."""
        if self._log != path:
            self._log.rename(path)
            self._log = path

    def network(self, place: int) -> str:
        """The network that the worker of this place had last."""
        worker = self._workers[place]
        return worker.network if worker else ""

    def environment(self, place: int) -> dict[str, Any]:
        """Code, packages and machine, the same at every place."""
        return environment.describe()

    def warm_up(self, job: Job) -> None:
        """Let the first worker load Keras."""
        self.ready_for(job, 0)

    def ready_for(self, job: Job, place: int) -> Worker:
        """A worker at this place with the job's settings and room in memory."""
        settings, worker = Settings.of(job), self._workers[place]
        if worker is not None:
            grown = worker.memory_bytes - worker.first_memory_bytes > job.machine.worker_growth_gb * 1e9
            if worker.settings != settings or grown or worker.is_over:
                self._remove(place)
        found = self._workers[place]
        if found is None:
            gpus = environment.gpus()
            found = self._workers[place] = Worker(settings, self._log, place % gpus if gpus else None)
            self._selector.register(found.events, selectors.EVENT_READ, place)
        return found

    def give(self, order: Order, place: int, network: str) -> None:
        """Let the worker of this place, a fresh one if need be, carry out the order."""
        self.ready_for(order.runs[0].job, place).give(order, network)

    def wait(self, seconds: float) -> list[Event]:
        """The events of all workers, as soon as there are some; empty after so many seconds without."""
        for worker in self._workers:
            if worker is not None:
                worker.end_if_late()
        events: list[Event] = []
        for key, _ in self._selector.select(seconds):
            worker = self._workers[key.data]
            assert worker is not None
            events += worker.read()
            if worker.is_over and worker.order is None:
                self._remove(key.data)
        return events

    def stop(self) -> None:
        """End all workers."""
        for place in range(self._size):
            self._remove(place)

    def _remove(self, place: int) -> None:
        worker, self._workers[place] = self._workers[place], None  # first, as a second Ctrl-C may come at any line
        if worker is not None:
            self._selector.unregister(worker.events)
            worker.stop()
