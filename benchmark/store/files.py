"""Files of the results folder: where they lie, how one is replaced whole, and their checksums."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SPLIT_FILES = {"test": "predictions.parquet", "val": "validation.parquet"}
RESULT_FILES = (*SPLIT_FILES.values(), "history.csv")
"""What a run's result is read from."""
KEPT_FILES = (*RESULT_FILES, "config.yaml", "model.keras")
"""The files whose checksums a finished run's record holds; the log goes on after it."""


class BrokenRecord(ValueError):
    """A file of the results folder that does not hold what was written there."""

    exit_code = 2


def run_directory(directory: Path, run_id: str) -> Path:
    """The folder of one run inside the sweep's folder.

    Raises:
        BrokenRecord: the run id would lead out of it.
    """
    if not run_id or run_id.startswith(".") or "/" in run_id or "\\" in run_id or "\0" in run_id:
        raise BrokenRecord(f"found the run id {run_id!r}; expected the plain name of a folder in {directory}/runs")
    return directory / "runs" / run_id


def make_sweep_directory(directory: Path) -> None:
    """Make the folder of a sweep, where it is not there yet; nothing that is written later makes it again."""
    (directory / "runs").mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well, and vanishes otherwise.

    Its folder is made, but not the folders above: a sweep's folder that went away is not begun anew.

    Raises:
        FileNotFoundError: the folder above that of `path` is not there.
    """
    path.parent.mkdir(exist_ok=True)
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


def file_checksum(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_checksum(content: dict[str, Any]) -> str:
    """sha256 of the content, whatever its order and white space."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _umask() -> int:
    """The process's file mode mask; reading it means setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
