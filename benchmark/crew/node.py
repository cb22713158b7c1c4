"""The far end of a Ray cluster's crew: one worker process on the machine where Ray has put this actor."""

from __future__ import annotations

import getpass
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ray

from benchmark import environment
from benchmark.crew.local import LocalCrew
from benchmark.crew.parcels import Parcel, collect, unpack
from benchmark.jobs import Order
from benchmark.plugins import load_plugin
from datasets.limit import keep_within

SECONDS_BETWEEN_LOOKS = 1.0


class Sight(NamedTuple):
    """What a machine of the cluster looks like."""

    host: str
    shares_disk: bool
    """Whether the sweep's folder is there too, with the same content."""
    environment: dict[str, Any]
    """Code, packages and machine, as records have them."""


class Said(NamedTuple):
    """What comes back while an order is carried out."""

    events: list[tuple[Any, ...]]
    """Every `crew.Event` without its order."""
    files: dict[str, dict[str, bytes]]
    """After the last event: the files of the runs, by run id and name, where the disk is not shared."""


class Node:
    """An actor; Ray calls one method at a time."""

    def __init__(self, scratch: str | None) -> None:
        """What a machine without the sweep's disk needs is kept below `scratch`, by default a temporary folder."""
        default = Path(tempfile.gettempdir()) / f"classifier-benchmark-{getpass.getuser()}"
        self._machine = Path(scratch) if scratch else default
        self._machine.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._crew = LocalCrew(self._machine / f"worker-{os.getpid()}.log", 1)

    def look(self, mark: str, content: str, plugins: Sequence[str]) -> Sight:
        """This machine, its plug-ins loaded; `mark` is a file of the sweep's folder with this content."""
        for plugin in plugins:
            load_plugin(plugin)
        path = Path(mark)
        shares = path.is_file() and path.read_text("utf-8") == content
        return Sight(socket.gethostname(), shares, environment.describe())

    def carry_out(self, text: str, network: str, parcel: Parcel | None) -> Iterator[Said]:
        """Carry the order out; with a parcel in a folder of this machine's own."""
        asked = Order.model_validate_json(text)
        order = unpack(parcel, asked, self._machine, ray.get) if parcel else asked
        self._crew.give(order, 0, network)
        while True:
            events = self._crew.wait(SECONDS_BETWEEN_LOOKS)
            over = any(event.done or event.death for event in events)
            if events:
                yield Said([tuple(event)[1:] for event in events], collect(order) if over and parcel else {})
            if over:
                break
        if parcel:
            limit = int(asked.runs[0].job.machine.cache_limit_gb * 1e9)
            keep_within(self._machine / "cache", limit)
