"""Reading runs back, strictly: what is not what was written is said, never guessed at."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow
from pyarrow import parquet
from pydantic import ValidationError

from benchmark.predictions import Predictions
from benchmark.records import RunRecord
from benchmark.store.files import (
    KEPT_FILES,
    RESULT_FILES,
    SPLIT_FILES,
    BrokenRecord,
    content_checksum,
    file_checksum,
    run_directory,
)


class NoSuchSweep(ValueError):
    """A folder that is not there."""


class BrokenRun(NamedTuple):
    """A run whose record or result is not what was written."""

    run_id: str
    sentence: str


class Survey(NamedTuple):
    """What a sweep's folder holds."""

    records: list[RunRecord]
    """Of the runs that are whole, ordered by run id."""
    broken: list[BrokenRun]
    """The others, which count as not yet run."""


class Stored(NamedTuple):
    """A record as it lies on disk."""

    record: RunRecord
    files: dict[str, str]
    """sha256 of the files beside it, by name; empty before the run has finished."""
    checksum: str
    """sha256 of the record's own content."""


def load_predictions(directory: Path, run_id: str, split: str = "test") -> Predictions:
    """The predictions of one run on one split.

    Raises:
        BrokenRecord: the file is missing or is not what was written.
    """
    path = run_directory(directory, run_id) / SPLIT_FILES[split]
    if (path.parent / "record.json").exists():
        _require_unchanged(load_stored(path.parent), path.parent, (path.name,))
    try:
        # pandas would take twice as long for such small tables.
        file = parquet.ParquetFile(pyarrow.BufferReader(path.read_bytes()))  # type: ignore[no-untyped-call]
        table = file.read(use_threads=False)  # type: ignore[no-untyped-call]
        classes = tuple(json.loads((table.schema.metadata or {})[b"PANDAS_ATTRS"])["classes"])
        columns = [table[f"p{index}"].to_numpy() for index in range(len(classes))]
        probabilities = np.column_stack(columns).astype(np.float32, copy=False)
        images, groups = (np.array(table[name].to_pylist(), dtype=str) for name in ("image", "group"))
        truth = table["truth"].to_numpy().astype(np.int64, copy=False)
        return Predictions(images, groups, truth, probabilities, classes)
    except (OSError, KeyError, ValueError, TypeError, pyarrow.ArrowException) as error:
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
    return [load_record(run) for run in _runs(directory)]


def survey(directory: Path) -> Survey:
    """The whole records of the sweep in this folder, and the runs whose record or result files are broken.

    Raises:
        NoSuchSweep: the folder is not there.
    """
    records, broken = [], []
    for run in _runs(directory):
        try:
            stored = load_stored(run)
            _require_unchanged(stored, run, RESULT_FILES)
            records.append(stored.record)
        except BrokenRecord as error:
            broken.append(BrokenRun(run.name, str(error)))
    return Survey(records, broken)


def load_record(run: Path) -> RunRecord:
    """The record in one run's folder.

    Raises:
        BrokenRecord: it is missing or is not what was written.
    """
    return load_stored(run).record


def load_stored(run: Path) -> Stored:
    """The record in one run's folder with its checksums.

    Raises:
        BrokenRecord: it is missing, is not what was written, or belongs to another folder.
    """
    path = run / "record.json"
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise BrokenRecord(_broken(path, "it holds no fields"))
        checksum, expected = content.pop("sha256", None), content_checksum(content)
        if checksum != expected:
            raise BrokenRecord(_broken(path, "it does not fit its checksum: it was edited or damaged"))
        stored = Stored(files=content.pop("files", {}), record=RunRecord.model_validate(content), checksum=expected)
    except ValidationError as error:
        raise BrokenRecord(_broken(path, f"{error.error_count()} fields do not fit")) from error
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, BrokenRecord):
            raise
        raise BrokenRecord(_broken(path, str(error))) from error
    if stored.record.run_id != run.name:
        raise BrokenRecord(_broken(path, f"it is that of {stored.record.run_id}"))
    return stored


def changed_files(stored: Stored, run: Path, names: Sequence[str] = KEPT_FILES) -> list[str]:
    """Those of the named files that the record knows and that are missing or hold something else."""
    return [
        name
        for name in names
        if name in stored.files and (not (run / name).is_file() or file_checksum(run / name) != stored.files[name])
    ]


def _runs(directory: Path) -> list[Path]:
    """The folders of all runs that have a record, by name."""
    if not directory.is_dir():
        raise NoSuchSweep(
            f"found no folder {directory}; expected a sweep's folder, results/<sweep.name>{_near(directory)}"
        )
    return [path.parent for path in sorted(directory.glob("runs/*/record.json"))]


def _require_unchanged(stored: Stored, run: Path, names: Sequence[str]) -> None:
    changed = changed_files(stored, run, names)
    if changed:
        raise BrokenRecord(
            f"found {' and '.join(changed)} in {run} missing, edited or damaged; expected what record.json has the "
            f"checksums of: delete the folder {run} and give the sweep's command again"
        )


def _broken(path: Path, reason: str) -> str:
    return (
        f"found no whole record in {path} ({reason}); expected the file that the run wrote, schema_version 1: "
        f"delete the folder {path.parent} and give the sweep's command again"
    )


def _near(directory: Path) -> str:
    """The sweep beside the folder that is not there, or in results/, with nearly its name."""
    sweeps = {
        path.parent.name: path.parent for root in (Path("results"), directory.parent) for path in root.glob("*/runs")
    }
    close = difflib.get_close_matches(directory.name, sweeps, n=1)
    return f": did you mean {sweeps[close[0]]}?" if close else ""
