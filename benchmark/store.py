"""The results folder: the only module that writes below results/, one atomic file at a time.

results/<sweep>/
    leaderboard.csv  leaderboard.md  costs.csv  runs.csv      rewritten as runs finish
    manifest.csv  manifest.json                               the pictures, their labels and split
    runs/<run id>/
        record.json          state, metrics, cost, environment; written last, so `ok` means complete
        predictions.parquet  validation.parquet               probabilities of every picture
        history.csv  config.yaml  log.txt  [model.keras]

record.json ends with the checksums of the files beside it (`files`) and of its own content (`sha256`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow
import yaml
from pyarrow import parquet
from pydantic import ValidationError

from benchmark.predictions import Predictions
from benchmark.records import RunRecord
from benchmark.spec import RunSpec

SPLIT_FILES = {"test": "predictions.parquet", "val": "validation.parquet"}
RESULT_FILES = (*SPLIT_FILES.values(), "history.csv")
"""What a run's result is read from."""
KEPT_FILES = (*RESULT_FILES, "config.yaml", "model.keras")
"""The files whose checksums a finished run's record holds; the log goes on after it."""


class NoSuchSweep(ValueError):
    """A folder that is not there."""


class BrokenRecord(ValueError):
    """A file of the results folder that does not hold what was written there."""

    exit_code = 2


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


def run_directory(directory: Path, run_id: str) -> Path:
    """The folder of one run inside the sweep's folder.

    Raises:
        BrokenRecord: the run id would lead out of it.
    """
    if not run_id or run_id.startswith(".") or "/" in run_id or "\\" in run_id or "\0" in run_id:
        raise BrokenRecord(f"found the run id {run_id!r}; expected the plain name of a folder in {directory}/runs")
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
    """Put the run's record in its folder, a finished one with the checksums of the files that are there."""
    run = run_directory(directory, record.run_id)
    content = json.loads(record.model_dump_json())
    kept = [run / name for name in KEPT_FILES if record.finished and (run / name).is_file()]
    content["files"] = {path.name: file_checksum(path) for path in kept}
    content["sha256"] = _checksum(content)
    write_text(run / "record.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")


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
        checksum, expected = content.pop("sha256", None), _checksum(content)
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


def file_checksum(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _runs(directory: Path) -> list[Path]:
    """The folders of all runs that have a record, by name."""
    if not directory.is_dir():
        raise NoSuchSweep(f"found no folder {directory}; expected a sweep's folder, results/<sweep.name>")
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


def _checksum(content: dict[str, Any]) -> str:
    """sha256 of the content, whatever its order and white space."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _umask() -> int:
    """The process's file mode mask; reading it means setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
