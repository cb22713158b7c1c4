"""Opening MLflow's store: once for all processes, whole or not at all, and without waiting for a dead server."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

# MLflow reads these while it loads: a server that is gone must not hold up a sweep for minutes, and nothing is reported
# to anyone who was not asked for.
for _name, _value in {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}.items():
    os.environ.setdefault(_name, _value)

from filelock import FileLock  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from sqlalchemy.engine import make_url  # noqa: E402
from sqlalchemy.exc import SQLAlchemyError  # noqa: E402

from benchmark.credentials import without_credentials  # noqa: E402
from benchmark.tracking import views  # noqa: E402

TROUBLE = (MlflowException, SQLAlchemyError, OSError)
"""What a store that cannot be used raises."""

# The first opening of a database tells the story of forty migrations; a lost server is said in a sentence of our own.
for _name, _level in {"alembic": logging.WARNING, "mlflow": logging.WARNING, "urllib3": logging.ERROR}.items():
    logging.getLogger(_name).setLevel(_level)


_LONGEST = 200
"""Characters of what a store's error says."""


class TrackingUnavailable(RuntimeError):
    """MLflow's server or database cannot be used."""


class Opened(NamedTuple):
    """A store that answers, and the experiment in it."""

    client: MlflowClient
    experiment: str


def default_uri(results: Path) -> str:
    """The database in the results folder."""
    return f"sqlite:///{results.absolute()}/mlflow.db"


def open_experiment(uri: str, results: Path, name: str) -> Opened:
    """The data set's experiment in the store at `uri`; both are made when they are not there.

    Raises:
        TrackingUnavailable: the store cannot be opened.
    """
    # Several processes that open a fresh database at once would break it.
    with FileLock(results / ".mlflow.lock"), whole_or_absent(uri, results):
        client = MlflowClient(uri)
        found = client.get_experiment_by_name(name)
        _let_readers_and_writers_meet(uri)
        if found is not None:
            if views.TAG not in found.tags:
                client.set_experiment_tag(found.experiment_id, views.TAG, views.before_a_board())
            return Opened(client, str(found.experiment_id))
        # A server keeps the files itself; beside a database they lie in the results folder.
        location = None if uri.startswith("http") else (results.absolute() / "mlartifacts" / name).as_uri()
        note = (
            f"Image classifiers compared on {name}. `bench ui` opens the candidates of the newest sweep, the best "
            "first: tick some and press Compare to set them side by side. Without the filter each row is a sweep, with "
            "report.html among its artifacts; + opens its candidates, and + there their seeds."
        )
        # Without its kind MLflow takes an experiment for one about language models and shows traces and judges first.
        tags = {"mlflow.note.content": note, "mlflow.experimentKind": "custom_model_development"}
        tags[views.TAG] = views.before_a_board()
        return Opened(client, str(client.create_experiment(name, artifact_location=location, tags=tags)))


def find_experiment(uri: str, results: Path, name: str) -> Opened | None:
    """The data set's experiment in the store at `uri`, or None; nothing is made there.

    Raises:
        TrackingUnavailable: there is no store, or it cannot be opened.
    """
    client = open_store(uri, results)
    with whole_or_absent(uri, results):
        found = client.get_experiment_by_name(name)
    return None if found is None else Opened(client, str(found.experiment_id))


def probe(uri: str | None, results: Path) -> str:
    """What answers at the address, in words; None = the database of these results, which need not be there yet.

    Raises:
        TrackingUnavailable: nothing answers.
    """
    address = uri or default_uri(results)
    database = make_url(address).database if address.startswith("sqlite") else None
    if database and not Path(database).exists():
        return f"{database} will be made"
    with whole_or_absent(address, results):
        count = len(MlflowClient(address).search_experiments())
    return f"{without_credentials(address)} answers; {count} experiments"


def open_store(uri: str, results: Path) -> MlflowClient:
    """A client of the store at `uri`, which is there already.

    Raises:
        TrackingUnavailable: there is no store, or it cannot be opened.
    """
    database = make_url(uri).database if uri.startswith("sqlite") else None
    if database and not Path(database).is_file():
        raise TrackingUnavailable(
            f"found no MLflow database {database}; expected the one of these results, or --uri with the address of "
            "another database or server"
        )
    with FileLock(results / ".mlflow.lock"), whole_or_absent(uri, results):
        return MlflowClient(uri)


@contextmanager
def whole_or_absent(uri: str, results: Path) -> Iterator[None]:
    """Opening a store: what goes wrong is said, and no half-made database is left, which would be broken for ever.

    Raises:
        TrackingUnavailable: the store cannot be used.
    """
    database = results / "mlflow.db"
    fresh = uri == default_uri(results) and not database.exists()
    try:
        yield
    except (*TROUBLE, ImportError) as error:  # SQLAlchemy imports a database's driver when it is asked for
        if fresh:
            for end in ("", "-wal", "-shm"):
                Path(f"{database}{end}").unlink(missing_ok=True)
        raise TrackingUnavailable(
            f"found no usable MLflow store at {without_credentials(uri)} ({first_line(error)}); expected a database or "
            "server that answers: correct tracking.uri, free some disk, or tracking=none for results/ alone"
        ) from error


def first_line(error: Exception) -> str:
    """What the error says first, without credentials."""
    text = without_credentials((str(error).strip().splitlines() or [type(error).__name__])[0])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rpartition(' ')[0]} ..."


def _let_readers_and_writers_meet(uri: str) -> None:
    """Put a SQLite database into WAL mode, which it keeps: who reads no longer holds up who writes."""
    if not uri.startswith("sqlite"):
        return
    database = make_url(uri).database
    if database:
        connection = sqlite3.connect(database, timeout=20)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()
