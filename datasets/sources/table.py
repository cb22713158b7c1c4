"""Pictures listed in a CSV table with a path and a label each."""

from pathlib import Path

import pandas as pd

from datasets.errors import DataContractBroken, DatasetUsageError, did_you_mean
from datasets.listing import FileState, Rejection, normal_path, state_of
from datasets.manifest import read_csv_text
from datasets.sources import Entry, SourceRows, source
from datasets.sources.folder import existing_root
from datasets.spec import STANDARD_NAMES, DatasetLocation, DatasetSpec


@source
def table(spec: DatasetSpec, location: DatasetLocation, cache_dir: Path) -> SourceRows:
    """Every row's file, relative to the root (or else to the table's folder); rows without a path are rejected."""
    path = _existing_table(location)
    rows = _read(path)
    _check_columns(path, rows, spec)
    root = path.parent.resolve() if location.root is None else existing_root(location, spec.source)
    entries: list[Entry] = []
    rejected: list[Rejection] = []
    seen: dict[str, str] = {}
    for row in rows.to_dict("records"):
        name, label = row[spec.path_column].strip(), row[spec.label_column].strip()
        outcome = _file(root, name, label, seen, location.allow_outside_root)
        if isinstance(outcome, Rejection):
            rejected.append(outcome)
            continue
        split = _split(path, row[spec.split_column].strip()) if spec.split_column else None
        group = (row[spec.group_column].strip() or None) if spec.group_column else None
        entries.append(Entry(outcome, label, STANDARD_NAMES[split] if split else None, group))
    classes = frozenset(rows[spec.label_column].str.strip()) - {""}
    return SourceRows(root, entries, rejected, 0, (), classes)


def _file(root: Path, name: str, label: str, seen: dict[str, str], allow_outside: bool) -> FileState | Rejection:
    if not name or not label:
        return Rejection(name, "incomplete row: no path" if not name else "incomplete row: no label", label)
    normal = normal_path(root, name)
    if normal in seen:
        same = seen[normal] == label
        reason = "listed twice" if same else f"listed twice, with the labels {seen[normal]!r} and {label!r}"
        return Rejection(name, f"{reason}: the first row counts", label)
    seen[normal] = label
    outcome = state_of(root, normal, allow_outside)
    return outcome._replace(label=label) if isinstance(outcome, Rejection) else outcome


def _existing_table(location: DatasetLocation) -> Path:
    if location.table is None:
        raise DatasetUsageError("dataset.table is not set: source 'table' needs a CSV file with paths and labels")
    if not location.table.is_file():
        kind = "is not a file" if location.table.exists() else "does not exist"
        raise DatasetUsageError(f"dataset.table={location.table} {kind}: expected a CSV file; check the path")
    return location.table


def _read(path: Path) -> pd.DataFrame:
    try:
        return read_csv_text(path, lineterminator=None)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        first = str(error).strip().splitlines()[0]
        raise DataContractBroken(
            f"{path} is no readable CSV ({first}): expected UTF-8 text with a header row"
        ) from error


def _check_columns(path: Path, rows: pd.DataFrame, spec: DatasetSpec) -> None:
    for option in ("path_column", "label_column", "split_column", "group_column"):
        column = getattr(spec, option)
        if column is not None and column not in rows.columns:
            raise DatasetUsageError(
                f"{path} has no column {column!r}; set dataset.{option}; {did_you_mean(column, rows.columns)}"
            )


def _split(path: Path, text: str) -> str:
    if text.lower() not in ("", *STANDARD_NAMES):
        raise DataContractBroken(
            f"{path} has the split {text!r}, expected one of {', '.join(STANDARD_NAMES)}, or none: correct it"
        )
    return text.lower()
