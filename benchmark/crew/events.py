"""What a crew says about its orders, and what every crew can do."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self

from benchmark.jobs import Job, Order


class Death(NamedTuple):
    """How an order ended before its time."""

    kind: str
    """The signal's name, the exit code or the class of the error."""
    message: str
    status: Literal["failed", "crashed", "oom", "timeout", "unbegun", "lost"]
    """`unbegun`: the worker never came so far as to begin; `lost`: the machine went away, through no fault of the run.
    """


class Event(NamedTuple):
    """What a worker said about its order: how far a run is, that all is done, or nothing any more."""

    order: Order
    epoch: dict[str, Any] | None = None
    """Its row, with `run_id`."""
    pictures: dict[str, Any] | None = None
    """How many have passed through a frozen part: `run_id`, `done`, `of`, `rate` a second."""
    done: bool = False
    death: Death | None = None


class Crew(Protocol):
    """Workers at numbered places, here or on other machines; one thread, the sweep's, speaks to all of them."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    @property
    def busy(self) -> list[Order]:
        """The orders that are being carried out."""

    @property
    def idle(self) -> list[int]:
        """The places that can be given an order now."""

    def network(self, place: int) -> str:
        """The network, as `sharing.network` names it, that the worker of this place had last."""

    def environment(self, place: int) -> dict[str, Any]:
        """What runs at this place, idle now, are computed with, as records have it."""

    def warm_up(self, job: Job) -> None:
        """Start what takes long to start: a job like this one comes."""

    def give(self, order: Order, place: int, network: str) -> None:
        """Let the worker of this place carry out the order."""

    def wait(self, seconds: float) -> list[Event]:
        """The events of all workers, as soon as there are some; empty after so many seconds without."""

    def stop(self) -> None:
        """End all workers."""
