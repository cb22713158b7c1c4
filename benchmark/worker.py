"""The worker: the child process that hosts Keras (`python -m benchmark.worker`); crew.py starts it.

Orders come in on standard input and events go out on a pipe of their own, one JSON line each; what the libraries
print goes to the run's log.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from benchmark import environment, runner, store
from benchmark.errors import sentence
from benchmark.jobs import Order, Settings
from benchmark.model import settings
from benchmark.plugins import load_plugin

log = logging.getLogger(__name__)


def main() -> None:
    """Serve orders until standard input ends."""
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    environment.end_with(os.getppid())
    wanted = Settings(**json.loads(sys.argv[2]))
    settings.configure(settings.Settings(wanted.threads, wanted.deterministic, wanted.mixed_precision))
    for plugin in wanted.plugins:
        load_plugin(plugin)
    gc.freeze()  # 300,000 objects that stay: every search for garbage, two or three a run, took .12 s in them
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8", buffering=1) as events:
        for line in sys.stdin:
            order = Order.model_validate_json(line)
            _send(events, {"event": "begun"})
            error = _carry_out(order, events)
            _send(events, {"event": "done", "memory_bytes": psutil.Process().memory_info().rss, "error": error})


def _carry_out(order: Order, events: IO[str]) -> dict[str, str] | None:
    """Do the runs; kind and message of what kept them from being written, if anything did."""
    first = order.runs[0]
    try:
        with _printing_to(store.run_directory(first.job.directory, first.planned.run_id) / "log.txt"):
            runner.run(order, lambda kind, run_id, facts: _send(events, {"event": kind, "run_id": run_id, **facts}))
    except Exception as error:  # a disk that is full or gone
        return {"kind": type(error).__name__, "message": sentence(error)}
    return None


def _send(events: IO[str], event: dict[str, Any]) -> None:
    """One event to the parent; without a parent this process ends, and its run stays unfinished."""
    try:
        events.write(json.dumps(event) + "\n")
    except BrokenPipeError:
        os._exit(1)


@contextlib.contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    """Let everything that this process prints, native code included, go to this log, and what ends it early, too."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        kept = os.dup(1), os.dup(2)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    except Exception:
        log.exception("the order could not be carried out")
        raise
    finally:
        with contextlib.suppress(OSError):  # the log's disk may be full
            sys.stdout.flush()
            sys.stderr.flush()
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)


if __name__ == "__main__":
    main()
