"""The results folder: the only module that writes below results/, one atomic file at a time.

results/<sweep>/
    leaderboard.csv  leaderboard.md  costs.csv  runs.csv      rewritten as runs finish
    manifest.csv  manifest.json                               the pictures, their labels and split
    runs/<run id>/
        record.json          state, metrics, cost, environment; written last, so `ok` means complete
        predictions.parquet  validation.parquet               probabilities of every picture
        history.csv  config.yaml  log.txt  [model.keras]
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from pydantic import ValidationError

from benchmark.predictions import Predictions
from benchmark.records import RunRecord
from benchmark.spec import RunSpec

SPLIT_FILES = {"test": "predictions.parquet", "val": "validation.parquet"}


class NoSuchSweep(ValueError):
    """A folder that is not there."""


class BrokenRecord(ValueError):
    """A file of the results folder that does not hold what was written there."""

    exit_code = 2


def run_directory(directory: Path, run_id: str) -> Path:
    """The folder of one run inside the sweep's folder."""
    return directory / "runs" / run_id


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well, and vanishes otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=f".tmp{path.suffix}")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Put the text there whole or not at all; UTF-8, line ends as they are."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_record(directory: Path, record: RunRecord) -> None:
    """Put the run's record in its folder."""
    write_text(run_directory(directory, record.run_id) / "record.json", record.model_dump_json(indent=1) + "\n")


def write_config(directory: Path, run_id: str, spec: RunSpec) -> None:
    """Put the resolved specification beside the record, readable."""
    text = yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_text(run_directory(directory, run_id) / "config.yaml", text)


def write_history(directory: Path, run_id: str, history: pd.DataFrame) -> None:
    """Put the epochs' metrics beside the record."""
    write_text(run_directory(directory, run_id) / "history.csv", history.to_csv(index=False, lineterminator="\n"))


def write_predictions(directory: Path, run_id: str, split: str, predictions: Predictions) -> None:
    """Put one split's predictions beside the record: a row for every picture, a column for every class."""
    names = [f"p{index}" for index in range(len(predictions.classes))]
    table = pd.DataFrame(predictions.probabilities, columns=names)
    table.insert(0, "image", predictions.images)
    table.insert(1, "group", predictions.groups)
    table.insert(2, "truth", predictions.truth)
    table.attrs["classes"] = list(predictions.classes)
    with replacing(run_directory(directory, run_id) / SPLIT_FILES[split]) as temporary:
        table.to_parquet(temporary, index=False)


def load_predictions(directory: Path, run_id: str, split: str = "test") -> Predictions:
    """The predictions of one run on one split.

    Raises:
        BrokenRecord: the file is missing or is not what was written.
    """
    path = run_directory(directory, run_id) / SPLIT_FILES[split]
    try:
        table = pd.read_parquet(path)
        classes = tuple(table.attrs["classes"])
        probabilities = table[[f"p{index}" for index in range(len(classes))]].to_numpy(np.float32)
        images, groups = table["image"].to_numpy(str), table["group"].to_numpy(str)
        return Predictions(images, groups, table["truth"].to_numpy(np.int64), probabilities, classes)
    except (OSError, KeyError, ValueError) as error:
        raise BrokenRecord(
            f"found no whole predictions in {path} ({error}); expected the file that the run wrote: delete the folder "
            f"{path.parent} and give the sweep's command again"
        ) from error


def load_records(directory: Path) -> list[RunRecord]:
    """All records of the sweep in this folder, ordered by run id.

    Raises:
        NoSuchSweep: the folder is not there.
        BrokenRecord: a record cannot be read.
    """
    if not directory.is_dir():
        raise NoSuchSweep(f"found no folder {directory}; expected a sweep's folder, results/<sweep.name>")
    return [load_record(path.parent) for path in sorted(directory.glob("runs/*/record.json"))]


def load_record(run: Path) -> RunRecord:
    """The record in one run's folder."""
    path = run / "record.json"
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = f"{error.error_count()} fields do not fit" if isinstance(error, ValidationError) else str(error)
        raise BrokenRecord(
            f"found no whole record in {path} ({reason}); expected the file that the run wrote, schema_version 1: "
            f"delete the folder {run} and give the sweep's command again"
        ) from error


def _umask() -> int:
    """The process's file mode mask; reading it means setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
