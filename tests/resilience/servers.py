"""Real servers for the scripts and tests beside: MLflow's, and Debian's PostgreSQL; on 127.0.0.1 alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

SECONDS_TO_START = 90.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MlflowServer:
    """`mlflow server` with its own store and artifacts, which survive it; it can be stopped and started again."""

    def __init__(self, folder: Path, store: str | None = None) -> None:
        """`store` is the address of a database that several workers share; None = SQLite in the folder, and one."""
        self._workers = 2 if store else 1
        self._folder = folder
        self._store = store or f"sqlite:///{folder}/server.db"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.uri = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Return when it answers."""
        words = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port),
            "--workers", str(self._workers),
            "--backend-store-uri", self._store, "--artifacts-destination", str(self._folder / "artifacts"),
        ]  # fmt: skip
        environ = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True, env=environ)
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                return
            time.sleep(0.2)
        raise RuntimeError(f"no server after {SECONDS_TO_START} s: {(self._folder / 'server.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End it and its workers at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def mlflow_server(folder: Path, store: str | None = None) -> Iterator[MlflowServer]:
    """A running server."""
    server = MlflowServer(folder, store)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def postgres_programs() -> Path | None:
    """Where Debian keeps PostgreSQL's programs; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextlib.contextmanager
def postgres(programs: Path) -> Iterator[str]:
    """The address of an empty database in a server of its own, which is deleted afterwards.

    PostgreSQL refuses to run as root: then it runs as Debian's user `postgres`.
    """
    folder = Path(tempfile.mkdtemp(prefix="bench-postgres-"))
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")
    port = free_port()

    def call(*words: str) -> None:
        # The server keeps what it inherits: a pipe would never end.
        with (folder / "log").open("ab") as log:
            subprocess.run([*user, *words], check=True, stdout=log, stderr=log, cwd="/")

    data = str(folder / "data")
    call(str(programs / "initdb"), "-D", data, "-U", "bench", "--auth=trust", "-E", "UTF8")
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    call(str(programs / "pg_ctl"), "-D", data, "-o", options, "-w", "start")
    try:
        call(str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "mlflow")
        yield f"postgresql+psycopg2://bench@127.0.0.1:{port}/mlflow"
    finally:
        call(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
