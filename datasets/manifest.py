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
            DataContractBroken: the table does not fit its fingerprint.
        """
        rest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        table = read_csv_text(path).astype(dict.fromkeys(_INTEGERS, np.int64))
        rejected = read_csv_text(path.with_name(QUARANTINE))
        manifest = cls(table, rejected, tuple(rest["classes"]), Path(rest["root"]), tuple(rest["notes"]))
        if manifest.fingerprint != rest["fingerprint"]:
            raise DataContractBroken(
                f"{path} does not fit the fingerprint in {path.with_suffix('.json').name}: it was edited or damaged; "
                "delete both, and they are made again"
            )
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
