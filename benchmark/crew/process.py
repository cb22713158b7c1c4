"""A worker process: orders go out on its standard input, events come back on a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmark import environment
from benchmark.crew.events import Death, Event
from benchmark.jobs import Order, Settings

CREDENTIALS = "MLFLOW_TRACKING_"
"""Variables with this prefix hold names and passwords; only the sweep's own process speaks to MLflow."""
SECONDS_TO_END = 5.0
"""From the polite request to end until the kill."""
MINUTES_TO_BEGIN = 5.0
"""A worker that loads Keras and plug-ins has at least so long until it begins its order, if there is a time limit."""


class Worker:
    """A child process that carries out one order at a time and stays warm between them."""

    def __init__(self, settings: Settings, log: Path, gpu: int | None) -> None:
        """Start it on this GPU, if any; what it prints outside of runs goes to `log`."""
        self.settings = settings
        self.order: Order | None = None
        self.network = ""
        """`sharing.network` of the last order, whose compiled network may still be warm."""
        self.first_memory_bytes = 0
        self.memory_bytes = 0
        self._deadline = float("inf")
        self._limit = float("inf")
        """Seconds of `sweep.timeout_minutes`."""
        self._has_begun = False
        self._timed_out = False
        self._kills = 0
        self._rest = b""
        self._writing: threading.Thread | None = None
        reading, writing = os.pipe()
        words = [sys.executable, "-m", "benchmark.worker", str(writing), json.dumps(settings._asdict())]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[writing],
                env=_environment(settings, gpu),
                start_new_session=True,  # Ctrl-C is for the parent, which decides what to do with the run
            )
        os.close(writing)
        self.events = reading

    def give(self, order: Order, network: str) -> None:
        """Send the order; a worker that is already dead shows it in the next events."""
        self.order, self.network, self._kills = order, network, environment.out_of_memory_kills()
        self._limit = 60 * (order.runs[0].job.sweep.timeout_minutes or float("inf"))
        self._has_begun, self._deadline = False, time.monotonic() + max(self._limit, 60 * MINUTES_TO_BEGIN)
        # A stack's order is longer than a pipe holds, and a worker that still loads Keras does not read.
        self._writing = threading.Thread(
            target=self._write, args=(order.model_dump_json().encode() + b"\n",), daemon=True
        )
        self._writing.start()

    def read(self) -> Iterator[Event]:
        """The events that have come; to be called when there is something to read."""
        content = os.read(self.events, 2**20)
        order = self.order
        if not content:
            returncode = self._process.wait()
            self.order = None
            if order is not None:
                yield Event(order, death=self._death(order, returncode))
            return
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if order is None:
                continue
            kind = event.pop("event")
            if kind == "begun" or len(order.runs) > 1:  # a stack may take as long as it likes while it comes further
                self._has_begun, self._deadline = True, time.monotonic() + self._limit
            if kind == "epoch":
                yield Event(order, epoch=event)
            elif kind == "pictures":
                yield Event(order, pictures=event)
            elif kind == "done":
                self.memory_bytes = event["memory_bytes"]
                self.first_memory_bytes = self.first_memory_bytes or self.memory_bytes
                self.order, self._deadline, error = None, float("inf"), event["error"]
                yield Event(order, done=not error, death=Death(**error, status="failed") if error else None)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the end of its events tells how it died
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def end_if_late(self) -> None:
        """End a worker whose order is beyond its time limit; its death is then an event."""
        if time.monotonic() > self._deadline:
            self._timed_out = True
            self._deadline = float("inf")
            self._end()

    def stop(self) -> None:
        """End the process, politely first, and let go of its pipes."""
        self._end()
        if self._writing is not None:
            self._writing.join()  # what nobody will read breaks off now
        os.close(self.events)
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            return  # an order that a dead process never read is still buffered; there is no one to send it to

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _death(self, order: Order, returncode: int) -> Death:
        """How the process ended; `returncode` as subprocess gives it: negative for a signal."""
        if self._timed_out:
            if not self._has_begun:
                minutes = max(self._limit / 60, MINUTES_TO_BEGIN)
                message = f"the worker did not begin the run within {minutes:g} minutes and was ended; see worker.log"
                return Death("timeout", message, "unbegun")
            what = "a stack came no further for" if len(order.runs) > 1 else "the run took longer than"
            return Death("timeout", f"{what} sweep.timeout_minutes and was ended", "timeout")
        if returncode >= 0:
            how = f"ended by itself with exit code {returncode}"
            return Death(
                f"exit code {returncode}",
                f"the worker process {how} in the middle of the run; see its log.txt",
                "crashed",
            )
        kind = signal.Signals(-returncode).name
        if kind == "SIGKILL" and environment.out_of_memory_kills() > self._kills:
            return Death(
                kind,
                "the system ended the worker process because memory ran out; lower "
                "training.batch_size or dataset.image_size",
                "oom",
            )
        return Death(
            kind, f"the worker process was ended by {kind} in the middle of the run; see its log.txt", "crashed"
        )


def _environment(settings: Settings, gpu: int | None) -> dict[str, str]:
    """The environment that TensorFlow reads while it loads: quiet, with a fixed number of threads and one GPU."""
    threads = str(settings.threads)
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1"}
    chosen: dict[str, str] = {}
    if gpu is not None:
        allowed = [device for device in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if device.strip()]
        chosen = {"CUDA_VISIBLE_DEVICES": allowed[gpu] if allowed else str(gpu)}
    kept = {key: value for key, value in os.environ.items() if not key.startswith(CREDENTIALS)}
    return {**kept, **quiet, **chosen, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
