"""The crew of a Ray cluster: every place is an actor that Ray puts where there is room for it."""

from __future__ import annotations

import logging
import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import ray
from ray.exceptions import RayActorError, RayError

from benchmark import environment, store
from benchmark.crew.events import Death, Event
from benchmark.crew.node import Node, Said, Sight
from benchmark.crew.parcels import Parcel, pack, receive
from benchmark.crew.reach import ClusterUnavailable, not_there, require_cluster
from benchmark.errors import first_line
from benchmark.jobs import Job, Order
from benchmark.records import software
from benchmark.wording import counted

SECONDS_OF_PATIENCE = 30.0
"""So long nobody is told that Ray has found no room."""


class _Place:
    """A place of the crew with the actor that fills it."""

    def __init__(self, actor: Any, looking: Any) -> None:
        self.actor = actor
        self.looking = looking
        """Answers with what the machine looks like once the actor runs."""
        self.sight: Sight | None = None
        self.order: Order | None = None
        self.stream: Any = None
        self.network = ""


class RayCrew:
    """Up to `launcher.workers` workers on the machines of a cluster; null = as many as there is room for."""

    def __init__(self, directory: Path, job: Job, most: int, say: Callable[[str], None]) -> None:
        """Connect to the cluster; the job's machine and launcher settings hold for the whole crew.

        There is work for `most` workers.

        Raises:
            ClusterUnavailable: there is no cluster at this address, or no machine of it is large enough.
        """
        self._directory, self._job, self._say = directory, job, say
        self._options = job.launcher.ray
        _connect(self._options.address)
        self._needs = {"num_cpus": job.machine.threads, "num_gpus": self._gpus()}
        self._mark = directory / ".locks" / f"cluster-{uuid.uuid4().hex}"
        self._kept: dict[Path, Any] = {}
        self._hosts: set[str] = set()
        self._asked, self._patient = time.monotonic(), True
        size = min(job.launcher.workers or self._room(), most)
        store.write_text(self._mark, self._mark.name)
        self._places = [self._hire() for _ in range(size)]
        say(
            f"a Ray cluster of {counted(len(_machines()), 'machine')}: {counted(size, 'worker')} of "
            f"{counted(job.machine.threads, 'thread')}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._mark.unlink(missing_ok=True)
        ray.shutdown()

    @property
    def busy(self) -> list[Order]:
        """The orders that are being carried out."""
        return [place.order for place in self._places if place.order]

    @property
    def idle(self) -> list[int]:
        """The places whose actor runs and has nothing to do."""
        return [number for number, place in enumerate(self._places) if place.sight and place.order is None]

    def network(self, place: int) -> str:
        """The network that the worker of this place had last."""
        return self._places[place].network

    def environment(self, place: int) -> dict[str, Any]:
        """Code, packages and machine of this place, whose actor runs."""
        sight = self._places[place].sight
        assert sight is not None
        return sight.environment

    def warm_up(self, job: Job) -> None:
        """Nothing to do: Ray has been starting the actors since they were asked for."""

    def give(self, order: Order, place: int, network: str) -> None:
        """Let the actor of this place carry out the order, with all it needs if it does not share the disk."""
        chosen = self._places[place]
        assert chosen.sight is not None
        parcel = None if chosen.sight.shares_disk else self._pack(order)
        chosen.order, chosen.network = order, network
        chosen.stream = chosen.actor.carry_out.remote(order.model_dump_json(), network, parcel)

    def wait(self, seconds: float) -> list[Event]:
        """The events of all workers, as soon as there are some; empty after so many seconds without."""
        working = {place.stream: place for place in self._places if place.order}
        starting = {place.looking: place for place in self._places if place.sight is None}
        ready, _ = ray.wait([*working, *starting], num_returns=1, timeout=seconds)
        if not ready:
            self._mention_patience()
        events: list[Event] = []
        for one in ready:
            if one in working:
                events += self._hear(working[one])
            else:
                self._welcome(starting[one])
        return events

    def stop(self) -> None:
        """End all workers; each has a child process that ends when it is gone."""
        for place in self._places:
            ray.kill(place.actor)
            place.order = None

    def _hire(self) -> _Place:
        """A place whose actor Ray starts when and where there is room."""
        hired: Any = ray.remote(Node).options(**self._needs, max_restarts=0)
        actor = hired.remote(str(self._options.scratch) if self._options.scratch else None)
        return _Place(actor, actor.look.remote(str(self._mark), self._mark.name, self._job.plugins))

    def _refill(self, place: _Place) -> None:
        """Another actor for a place that has lost its own."""
        self._places[self._places.index(place)] = self._hire()

    def _welcome(self, place: _Place) -> None:
        """An actor runs now, or could not."""
        try:
            place.sight = ray.get(place.looking)
        except RayActorError:
            self._refill(place)  # its machine went away before it had begun
            return
        except RayError as error:
            raise ClusterUnavailable(
                f"found a machine of the Ray cluster on which no worker can start ({first_line(error)}); expected "
                "this project and its packages, as requirements.lock has them, on every machine"
            ) from error
        if self._options.shared_disk is not None:
            place.sight = place.sight._replace(shares_disk=self._options.shared_disk)
        if place.sight.host not in self._hosts:
            self._hosts.add(place.sight.host)
            if software(place.sight.environment) != software(environment.describe()):
                self._say(f"warning: {place.sight.host} has other code or library versions: its results will be stale")
            if not place.sight.shares_disk:
                self._say(f"{place.sight.host} does not share this disk: pictures are sent there, results come back")

    def _hear(self, place: _Place) -> list[Event]:
        """What the place's actor says next, or how it ended."""
        order = place.order
        assert order is not None
        try:
            said: Said = ray.get(next(place.stream))
        except RayActorError:
            self._refill(place)
            message = "the machine of this worker went away, or the worker was ended from outside"
            return [Event(order, death=Death("lost", message, "lost"))]
        except RayError as error:
            place.order = None
            return [Event(order, death=Death(type(error).__name__, first_line(error), "crashed"))]
        receive(self._directory, said.files)
        events = [Event(order, *rest) for rest in said.events]
        if any(event.done or event.death for event in events):
            place.order = None
        return events

    def _pack(self, order: Order) -> Parcel:
        """The order's files; what several orders need is put into Ray's store once."""

        def keep(path: Path) -> Any:
            if path not in self._kept:
                self._kept[path] = ray.put(np.fromfile(path, np.uint8))
            return self._kept[path]

        return pack(order, keep)

    def _gpus(self) -> float:
        """GPUs for each worker; unless told, one where the cluster has any."""
        if self._options.gpus_per_worker is not None:
            return self._options.gpus_per_worker
        return float(any(machine.get("GPU", 0) >= 1 for machine in _machines()))

    def _room(self) -> int:
        """How many workers the cluster has room for now."""
        cpus, gpus = self._needs["num_cpus"], self._needs["num_gpus"]
        rooms = [
            min(machine.get("CPU", 0) // cpus, machine.get("GPU", 0) // gpus if gpus else float("inf"))
            for machine in _machines()
        ]
        room = int(sum(rooms))
        if room == 0:
            largest = max((int(machine.get("CPU", 0)) for machine in _machines()), default=0)
            needs, way_out = (f"{cpus} processors", "lower machine.threads")
            if gpus:
                needs, way_out = f"{needs} and {gpus:g} GPUs", f"{way_out} or launcher.ray.gpus_per_worker"
            raise ClusterUnavailable(
                f"found no machine in the Ray cluster with the {needs} that a worker needs (the largest has {largest} "
                f"processors); expected at least one: {way_out}"
            )
        return room

    def _mention_patience(self) -> None:
        """Say once that nothing happens because the cluster is full."""
        waits = not any(place.sight for place in self._places)
        if waits and self._patient and time.monotonic() - self._asked > SECONDS_OF_PATIENCE:
            self._patient = False
            self._say(f"waiting for room in the Ray cluster: a worker needs {self._needs['num_cpus']} processors")


def _connect(address: str) -> None:
    """Join the cluster at this address, or start one on this machine.

    Raises:
        ClusterUnavailable: there is none.
    """
    require_cluster(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # a worker without a GPU shall see none
    handler = signal.getsignal(signal.SIGTERM)
    plain: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": None}
    if address == "local":
        plain |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(address=address, **plain)
    except Exception as error:  # Ray raises bare ones, too
        raise not_there(address, first_line(error)) from error
    finally:
        signal.signal(signal.SIGTERM, handler)  # Ray's own would end the sweep without marking what was interrupted


def _machines() -> list[dict[str, float]]:
    """The resources of every living machine."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"]]
