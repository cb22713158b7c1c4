"""Manifest: the pictures of a data set with their labels and splits, as a frozen table."""

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from datasets.errors import DataContractBroken
from datasets.files import write_atomically
from datasets.spec import SPLITS

COLUMNS = (
    "path", "label", "width", "height", "format", "bytes", "sha256", "pixels_sha256", "phash", "group", "split",
)  # fmt: skip
REJECTED_COLUMNS = ("path", "reason", "class")
QUARANTINE = "quarantine.csv"

_INTEGERS = ("width", "height", "bytes")


@dataclass(frozen=True, eq=False)
class Manifest:
    """One row per picture, ordered by (pixels_sha256, label, path), so that file names do not change the order."""

    table: pd.DataFrame
    """Columns COLUMNS; path is relative to `root` with forward slashes; split is train, val or test."""
    rejected: pd.DataFrame
    """Columns REJECTED_COLUMNS: every file that was left out, and why."""
    classes: tuple[str, ...]
    root: Path
    notes: tuple[str, ...]
    """Sentences that must be said wherever results on these pictures are shown."""

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of each row as its position in `classes`, shape (N,), int64."""
        return class_codes(self.table["label"], self.classes)

    @property
    def counts(self) -> pd.DataFrame:
        """Pictures per class (rows) and split (columns train, val, test)."""
        counts = pd.crosstab(self.table["label"], self.table["split"])
        return counts.reindex(index=list(self.classes), columns=list(SPLITS), fill_value=0)

    @cached_property
    def fingerprint(self) -> str:
        """sha256, in hex, over the class order and every picture's pixels, label, split and group; not over names."""
        columns = (self.table[name].tolist() for name in ("pixels_sha256", "split", "group"))
        rows = sorted(map("{} {} {} {}".format, *columns, self.labels.tolist()))
        return hashlib.sha256("\n".join([json.dumps(self.classes), *rows]).encode()).hexdigest()

    def with_notes(self, notes: Sequence[str]) -> Self:
        """The same manifest with these notes added."""
        return replace(self, notes=(*self.notes, *notes)) if notes else self

    def to_csv(self, path: Path) -> None:
        """Write the table, a .json beside it with all the rest, and quarantine.csv; the same bytes for the same data.

        The table comes last and makes the whole complete.
        """
        rest = {
            "classes": self.classes,
            "fingerprint": self.fingerprint,
            "root": str(self.root),
            "notes": self.notes,
        }
        write_atomically(path.with_name(QUARANTINE), to_csv_text(self.rejected))
        write_atomically(path.with_suffix(".json"), json.dumps(rest, indent=2, ensure_ascii=False) + "\n")
        write_atomically(path, to_csv_text(self.table))

    @classmethod
    def read_csv(cls, path: Path) -> Self:
        """The manifest that `to_csv` wrote.

        Raises:
            DataContractBroken: a file is not what was written, or the table does not fit its fingerprint.
            OSError: a file cannot be read.
        """
        try:
            rest = json.loads(path.with_suffix(".json").read_bytes())
            table = _read_table(path, COLUMNS).astype(dict.fromkeys(_INTEGERS, np.int64))
            rejected = _read_table(path.with_name(QUARANTINE), REJECTED_COLUMNS)
            manifest = cls(table, rejected, _texts(rest["classes"]), Path(rest["root"]), _texts(rest["notes"]))
            fits = manifest.fingerprint == rest["fingerprint"]
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise _damaged(
                path, f"cannot be read ({str(error).splitlines()[0][:200] if str(error) else type(error).__name__})"
            ) from error
        if not fits:
            raise _damaged(path, f"does not fit the fingerprint in {path.with_suffix('.json').name}")
        return manifest


def class_codes(labels: "pd.Series[str]", classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """The position of each label in `classes`, shape (N,), int64."""
    return pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int64)


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that `Manifest.to_csv(path)` writes."""
    return path, path.with_suffix(".json"), path.with_name(QUARANTINE)


def to_csv_text(table: pd.DataFrame) -> str:
    """The table as CSV with LF line ends; texts with commas, quotes or line ends are quoted."""
    texts = table.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]]
    # Python's csv writer leaves a lone carriage return unquoted, and some readers take it for a line end.
    odd = any(table[name].str.contains("\r", regex=False).any() for name in texts)
    if odd:
        return table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return table.to_csv(index=False, lineterminator="\n")


def read_csv_text(path: Path, lineterminator: str | None = "\n") -> pd.DataFrame:
    """A CSV file with every cell as text, so that a class named 007 or NA stays itself."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, lineterminator=lineterminator)


def _read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """The CSV file, which must have these columns.

    Raises:
        ValueError: it has others, or is no such file.
    """
    table = read_csv_text(path)
    if tuple(table.columns) != tuple(columns):
        raise ValueError(f"{path.name} has other columns than {', '.join(columns)}")
    return table


def _texts(values: object) -> tuple[str, ...]:
    """A list of texts.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("a list in it does not hold texts alone")
    return tuple(values)


def _damaged(path: Path, how: str) -> DataContractBroken:
    return DataContractBroken(
        f"found that {path} {how}: it was edited or damaged; expected the files that the sweep wrote: delete it and "
        f"{path.with_suffix('.json').name}, and the sweep's command makes them again"
    )
