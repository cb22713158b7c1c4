"""The command that opens MLflow's user interface."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from benchmark import whereabouts
from benchmark.cli.output import echo
from benchmark.errors import ConfigurationError

VIEW = "bench"
"""The view of MLflow's table that a sweep has left: columns, filter and order."""

Results = Annotated[Path, typer.Argument(metavar="[RESULTS]", help="The results folder, not a sweep's.")]
Host = Annotated[str, typer.Option(help="Whom it answers: 127.0.0.1 is this machine alone.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Where it listens.")]


def ui(results: Results = Path("results"), host: Host = "127.0.0.1", port: Port = 5000) -> None:
    """Open MLflow's user interface on the runs of a results folder; Ctrl-C ends it.

    \b
    Examples:
      bench ui
      bench ui results --port 5001
    """
    database = results.absolute() / "mlflow.db"
    if not database.is_file():
        beside = results.absolute().parent / "mlflow.db"
        servers = sorted(
            {place.uri for folder in results.glob("*/") if (place := whereabouts.noted(folder)) and place.uri}
        )
        hint = f"give the results folder itself: bench ui {results.parent}" if beside.is_file() else "run a sweep first"
        hint = f"its sweeps are tracked at {', '.join(servers)}" if servers else hint
        raise ConfigurationError(f"found no MLflow database {database}; expected what sweeps leave there: {hint}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"found port {port} of {host} taken ({error.strerror}); expected a free one: choose another with --port"
            ) from error
    uri = f"sqlite:///{database}"
    echo(f"MLflow on http://{host}:{port}{_newest(database)} (mlflow ui --backend-store-uri {uri}); Ctrl-C ends it")
    sys.stdout.flush()
    words = ["ui", "--backend-store-uri", uri, "--host", host, "--port", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *words])


def _newest(database: Path) -> str:
    """The page of the experiment that the newest run belongs to; nothing where there is none."""
    newest = "SELECT experiment_id FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time DESC LIMIT 1"
    view = "SELECT 1 FROM experiment_tags WHERE experiment_id = ? AND key = ?"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(newest).fetchone()
            has_view = found and connection.execute(view, (found[0], f"mlflow.sharedViewState.{VIEW}")).fetchone()
    except sqlite3.Error:
        return ""
    if found is None:
        return ""
    # Without the first word MLflow shows what it has for language models, without the second a table without metrics.
    words = ["workflowType=machine_learning", *([f"viewStateShareKey={VIEW}"] if has_view else [])]
    return f"/#/experiments/{found[0]}/runs?{'&'.join(words)}"
