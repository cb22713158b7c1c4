"""A data set examined from its files to its manifest; remembered, so that an unchanged one is examined once."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from datasets import memo
from datasets.contract import Readable, decide
from datasets.crossing import Crossing
from datasets.dedupe import copy_pairs
from datasets.errors import DataContractBroken, DatasetUsageError
from datasets.manifest import REJECTED_COLUMNS, Manifest
from datasets.processes import Progress
from datasets.scan import Scan, scan
from datasets.selection import chosen_classes
from datasets.sources import SourceRows, find_source
from datasets.spec import STANDARD_NAMES, DatasetLocation, DatasetSpec

LEFT_OUT = ""


@dataclass(frozen=True, eq=False)
class Examined:
    """A manifest and everything that was seen on the way to it."""

    manifest: Manifest
    pictures: pd.DataFrame
    """Every readable picture: all facts, bytes, label, and its split, LEFT_OUT for one that is in no split."""
    pairs: pd.DataFrame
    """Links between copies: first and second (rows of `pictures`), distance (bits), kind (pixels, near, mirrored)."""
    crossing: Crossing | None
    files: int
    """Files that were looked at or remembered."""
    remembered: int
    """Files that were not opened, because an earlier look at them is remembered."""


def examine(
    spec: DatasetSpec, location: DatasetLocation, cache_dir: Path, workers: int, progress: Progress | None
) -> Examined:
    """The data set that the spec describes, examined; `progress` is called with (files looked at, files).

    Raises:
        DatasetUsageError: an option makes no sense, or the folder or table is not there.
        DataContractBroken: the pictures cannot serve for what is asked.
    """
    with _no_collection():
        rows = find_source(spec.source)(spec, location, cache_dir)
        classes = chosen_classes(spec, rows.classes)
        rows = _of_classes(rows, classes)
        _require_two_classes(classes, rows)
        _require_split(spec, rows)
        key = memo.key(spec, rows)
        known = memo.recall(cache_dir, key)
    if known is not None:
        return _remembered(known, rows)
    looked = scan(rows.root, [entry.file for entry in rows.entries], cache_dir, workers, progress)
    pictures, rejected = pictures_of(rows, looked)
    if pictures.empty:
        raise DataContractBroken(
            f"none of the {len(rejected)} files in {rows.root} is a usable picture, the first because it is "
            f"{rejected['reason'].iloc[0]}; expected files that Pillow can read"
        )
    pairs = copy_pairs(pictures, spec.near_distance)
    decided = decide(spec, Readable(rows.root, classes, pictures, rejected, pairs), _notes(rows))
    table = decided.manifest.table
    places = dict(zip(table["path"], zip(table["split"], table["group"], strict=True), strict=True))
    pictures["split"] = pd.array([places.get(path, (LEFT_OUT, LEFT_OUT))[0] for path in pictures["path"]], dtype=str)
    pictures["group"] = pd.array([places.get(path, (LEFT_OUT, LEFT_OUT))[1] for path in pictures["path"]], dtype=str)
    pictures = pictures.drop(columns=["given", "outside"])
    memo.store(cache_dir, key, memo.Known(decided.manifest, pictures, pairs, decided.crossing))
    said = decided.manifest.with_notes(looked.notes)
    return Examined(said, pictures, pairs, decided.crossing, len(rows.entries), looked.remembered)


def pictures_of(rows: SourceRows, looked: Scan) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Usable pictures in the manifest's order (all facts, label, given, outside), and the rejected files."""
    facts = pd.DataFrame(looked.facts, columns=list(looked.facts[0]._fields) if looked.facts else None)
    facts["bytes"] = [entry.file.size for entry in rows.entries]
    facts["label"] = pd.array([entry.label for entry in rows.entries], dtype=str)
    facts["given"] = pd.Series([entry.split for entry in rows.entries], dtype=object)
    facts["outside"] = pd.Series([entry.group for entry in rows.entries], dtype=object)
    usable = facts["reason"] == ""
    pictures = facts[usable].sort_values(["pixels_sha256", "label", "path"], ignore_index=True)
    listed = pd.DataFrame(rows.rejected, columns=list(REJECTED_COLUMNS))
    broken = facts[~usable].rename(columns={"label": "class"})[list(REJECTED_COLUMNS)]
    return pictures, pd.concat([listed, broken], ignore_index=True).astype(str)


@contextmanager
def _no_collection() -> Iterator[None]:
    """A block in which Python does not look for garbage: it would walk through every new record again and again."""
    active = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if active:
            gc.enable()


def _remembered(known: memo.Known, rows: SourceRows) -> Examined:
    files = len(rows.entries)
    return Examined(known.manifest, known.pictures, known.pairs, known.crossing, files, files)


def _notes(rows: SourceRows) -> tuple[str, ...]:
    notes = list(rows.notes)
    if rows.passed_over:
        notes.append(
            "1 hidden file or thumbnail of an operating system was passed over"
            if rows.passed_over == 1
            else f"{rows.passed_over} hidden files and thumbnails of operating systems were passed over"
        )
    names = {name.lower() for name in rows.classes}
    if "train" in names and names <= set(STANDARD_NAMES):
        notes.append(
            f"the classes are named {', '.join(sorted(rows.classes))}: this looks like a ready-made split, which "
            "dataset=given_split reads"
        )
    places = [(entry.file.path.split("/"), entry.label) for entry in rows.entries]
    deep = sum(len(steps) > 2 and steps[0] == label for steps, label in places)
    if deep > len(rows.entries) / 2:
        notes.append(
            f"{deep} of {len(rows.entries)} pictures lie in folders inside the class folders: if those are the "
            "classes, give one of the outer folders as dataset.root"
        )
    return tuple(notes)


def _of_classes(rows: SourceRows, classes: tuple[str, ...]) -> SourceRows:
    entries = [entry for entry in rows.entries if entry.label in classes]
    left_out = sorted(rows.classes - set(classes))
    note = (f"left out, because dataset.classes does not name them: {', '.join(left_out)}",) if left_out else ()
    rejected = [lost for lost in rows.rejected if lost.label in ("", *classes)]
    return SourceRows(rows.root, entries, rejected, rows.passed_over, (*rows.notes, *note), rows.classes)


def _require_two_classes(classes: tuple[str, ...], rows: SourceRows) -> None:
    if not rows.entries:
        first = rows.rejected[0].reason if rows.rejected else ""
        lost = f"; {len(rows.rejected)} were refused, the first for this reason: {first}" if first else ""
        raise DataContractBroken(
            f"found no picture file for any class in {rows.root}{lost}; expected one folder for each class with "
            "pictures in it (for a folder of one class's pictures give its parent), or a table whose paths start there"
        )
    if len(classes) < 2:
        raise DataContractBroken(f"found one class only ({classes[0]!r}) in {rows.root}: expected at least two")


def _require_split(spec: DatasetSpec, rows: SourceRows) -> None:
    if spec.split == "given" and all(entry.split is None for entry in rows.entries):
        raise DatasetUsageError(
            f"dataset.split=given, but source {spec.source!r} gives no split: use split=holdout or kfold, or name a "
            "split_column"
        )
