"""The crew: at most one warm worker, replaced when it dies, grows too large or has the wrong settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from benchmark.jobs import Job, Order, Settings


class WorkerDied(RuntimeError):
    """The worker ended in the middle of a run; the message says how."""

    def __init__(self, returncode: int) -> None:
        """`returncode` as subprocess gives it: negative for a signal."""
        self.returncode = returncode
        super().__init__(f"the worker process {self._how()} in the middle of the run; see the log")

    @property
    def kind(self) -> str:
        """The signal's name, or the exit code."""
        return signal.Signals(-self.returncode).name if self.returncode < 0 else f"exit code {self.returncode}"

    def _how(self) -> str:
        if self.returncode >= 0:
            return f"ended by itself with exit code {self.returncode}"
        return f"was ended by {self.kind}" + (" (often: out of memory)" if self.kind == "SIGKILL" else "")


class Worker:
    """A child process that runs one order at a time and stays warm between them."""

    def __init__(self, settings: Settings, log: Path) -> None:
        """Start it; what it prints outside of runs goes to `log`."""
        self.settings = settings
        self.memory_bytes = 0
        reading, writing = os.pipe()
        words = [sys.executable, "-m", "benchmark.worker", str(writing), json.dumps(settings._asdict())]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[writing],
                env=_environment(settings),
                start_new_session=True,  # Ctrl-C is for the parent, which decides what to do with the run
            )
        os.close(writing)
        self._events: IO[str] = os.fdopen(reading, "r", encoding="utf-8")

    def run(self, order: Order, on_epoch: Callable[[dict[str, Any]], None]) -> None:
        """Do the run; the worker has written its record when this returns.

        Raises:
            WorkerDied: the process ended before it said that the run is done.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(order.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise WorkerDied(self._process.wait()) from error
        for line in self._events:
            event = json.loads(line)
            if event["event"] == "done":
                self.memory_bytes = event["memory_bytes"]
                return
            on_epoch(event)
        raise WorkerDied(self._process.wait())

    def stop(self) -> None:
        """End the process, politely first."""
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._events):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # an order that a dead process never read is still buffered; there is no one to send it to


class Crew:
    """Hands orders to a worker process and keeps it healthy."""

    def __init__(self, log: Path) -> None:
        """No process is started before it is needed; what workers print between runs goes to `log`."""
        self._log = log
        self._worker: Worker | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ready_for(self, job: Job) -> Worker:
        """A worker with this job's settings and room in memory."""
        settings = Settings.of(job)
        worker = self._worker
        if worker and (worker.settings != settings or worker.memory_bytes > job.machine.worker_memory_gb * 1e9):
            self.stop()
        if self._worker is None:
            self._worker = Worker(settings, self._log)
        return self._worker

    def run(self, order: Order, on_epoch: Callable[[dict[str, Any]], None]) -> None:
        """Let a worker do the run.

        Raises:
            WorkerDied: its process ended in the middle.
        """
        try:
            self.ready_for(order.runs[0].job).run(order, on_epoch)
        except WorkerDied:
            self.stop()
            raise

    def stop(self) -> None:
        """End the worker, if there is one."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None


def _environment(settings: Settings) -> dict[str, str]:
    """The environment that TensorFlow reads while it loads: quiet, and with a fixed number of threads."""
    threads = str(settings.threads)
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1"}
    return {**os.environ, **quiet, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
