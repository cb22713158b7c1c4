"""Artifacts: whether the files that MLflow keeps of a run are those that lie on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.entities import Run

from benchmark import store

MODEL = "model/data/model.keras"
"""Where MLflow keeps model.keras."""


def differences(client: MlflowClient, run: Run, expected: Mapping[str, str]) -> Iterator[str]:
    """Those of the run's files that are missing or whose sha256 is not the expected; those of a server are fetched."""
    local = folder_of(run)
    there = set() if local else _listed(client, run.info.run_id, "")
    with tempfile.TemporaryDirectory(prefix="bench-verify-") as folder:
        for name, checksum in sorted(expected.items()):
            place = MODEL if name == "model.keras" else name
            if not ((local / place).is_file() if local else place in there):
                yield f"{name} is not in MLflow"
                continue
            path = local / place if local else Path(client.download_artifacts(run.info.run_id, place, folder))
            if store.file_checksum(path) != checksum:
                yield f"{name} in MLflow is another file than on disk"


def folder_of(run: Run) -> Path | None:
    """Where the run's files lie on this machine; None where a server keeps them."""
    uri = urlsplit(run.info.artifact_uri)
    return Path(unquote(uri.path)) if uri.scheme in ("", "file") else None


def _listed(client: MlflowClient, run: str, folder: str) -> set[str]:
    """Paths of the run's files; folders are looked into only for the model."""
    found: set[str] = set()
    for file in client.list_artifacts(run, folder or None):
        if not file.is_dir:
            found.add(file.path)
        elif MODEL.startswith(f"{file.path}/"):
            found |= _listed(client, run, file.path)
    return found
