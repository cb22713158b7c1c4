"""The audit as one HTML file: every list in it is bounded, so that its size does not grow with the folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.report.drawing import Axis, Bar, Curve, Point, axis, curve, histogram
from benchmark.report.page import render, shown, thousands
from benchmark.report.thumbnails import Thumbnail, picture, small, thumbnail
from datasets.audit import Audit
from datasets.audit_error_levels import MAP_QUALITY, QUALITIES, error_levels
from datasets.audit_summary import imbalance, reason_kinds
from datasets.spec import SPLITS

CLASSES = 200
SAMPLES = 240
SAMPLES_PER_CLASS = 12
PAIRS = 24
POINTS = 2000
LEVELS = 6
REASONS = 40
EXAMPLES = 5
SENTENCES = 60

_LEVEL_CROP = 512
_SENTENCE_LENGTH = 700
_PLOT = (640.0, 340.0)
_MARGIN = 46.0


class ClassRow(NamedTuple):
    """A class: pictures in each split, in all, and the widths of its bars in percent of the largest class."""

    name: str
    counts: tuple[int, ...]
    total: int
    widths: tuple[float, ...]


class Shown(NamedTuple):
    """A picture on the page; without a thumbnail it is gone since the scan."""

    thumbnail: Thumbnail | None
    path: str
    label: str
    split: str


class Pair(NamedTuple):
    """Two copies side by side."""

    first: Shown
    second: Shown
    kind: str
    distance: int


class Level(NamedTuple):
    """A picture, its map of errors, and its error and file size at every quality."""

    shown: Shown
    map: Thumbnail
    errors: Curve
    table: list[tuple[int, float, int]]


class Reason(NamedTuple):
    """Why files were left out: the kind, how many, and some of them as (path, class, whole reason)."""

    kind: str
    files: int
    examples: list[tuple[str, str, str]]


class Sizes(NamedTuple):
    """The scatter of width and height."""

    across: Axis
    upward: Axis
    points: list[Point]
    distinct: int


def audit_page(audit: Audit, content: Mapping[str, Any]) -> str:
    """The page of an audit; `content` is its summary."""
    brightness: list[Bar] = histogram(
        audit.pictures["brightness"].to_numpy(np.float64), np.linspace(0, 256, 33), 640, 150
    )
    rows = class_rows(audit)
    return render(
        "audit.html.j2",
        summary=content,
        splits=SPLITS,
        imbalance=imbalance(audit),
        classes=rows[:CLASSES],
        more_classes=max(len(rows) - CLASSES, 0),
        sizes=sizes(audit.pictures),
        brightness=brightness,
        samples=samples(audit),
        same_label=pairs(audit, "same label"),
        conflicts=pairs(audit, "conflict"),
        links=audit.copies["relation"].value_counts().to_dict(),
        levels=levels(audit),
        qualities=QUALITIES,
        map_quality=MAP_QUALITY,
        reasons=reasons(audit.manifest.rejected),
        suggestions=_bounded(content["suggestions"]),
        notes=_bounded(content["notes"]),
        crossing="" if audit.crossing is None else str(audit.crossing),
    )


def class_rows(audit: Audit) -> list[ClassRow]:
    """Every class in its order."""
    counts = audit.manifest.counts
    largest = int(counts.sum(axis=1).max())
    return [
        ClassRow(
            shown(name, 48),
            tuple(int(row[split]) for split in SPLITS),
            int(row.sum()),
            tuple(round(100 * float(row[split]) / largest, 2) for split in SPLITS),
        )
        for name, row in counts.iterrows()
    ]


def sizes(pictures: pd.DataFrame) -> Sizes:
    """Width against height, one point for each size, its area the aspect ratio; thinned evenly above POINTS."""
    found = pictures.groupby(["width", "height"], as_index=False).size()
    across = axis(found["width"].to_numpy(np.float64), _MARGIN, _PLOT[0] - 10)
    upward = axis(found["height"].to_numpy(np.float64), _PLOT[1] - _MARGIN, 10)
    distinct = len(found)
    if distinct > POINTS:
        found = found.iloc[np.linspace(0, distinct - 1, POINTS).astype(int)]
    width, height = found["width"].to_numpy(np.float64), found["height"].to_numpy(np.float64)
    radius = np.clip(4 * np.sqrt(width / height), 2, 12)
    texts = [f"{w} x {h}, aspect {w / h:.2f}: {thousands(n)}" for w, h, n in found.itertuples(index=False, name=None)]
    places = zip(across.place(width).round(1).tolist(), upward.place(height).round(1).tolist(), strict=True)
    points = [
        Point(x, y, size, text) for (x, y), size, text in zip(places, radius.round(1).tolist(), texts, strict=True)
    ]
    return Sizes(across, upward, points, distinct)


def samples(audit: Audit) -> list[tuple[str, list[Shown]]]:
    """Some pictures of each class; their order by content hash is as good as chance."""
    classes = audit.manifest.classes[:SAMPLES]
    each = max(1, min(SAMPLES_PER_CLASS, SAMPLES // len(classes)))
    table = audit.manifest.table
    chosen = table[table["label"].isin(classes)].groupby("label", sort=False).head(each)
    by_class = {str(name): rows for name, rows in chosen.groupby("label")}
    return [
        (shown(name), [_show(audit, row["path"], row["label"], row["split"]) for _, row in by_class[name].iterrows()])
        for name in classes
    ]


def pairs(audit: Audit, relation: str) -> list[Pair]:
    """Linked copies of this relation, the least alike first: those are the ones to doubt."""
    table = audit.copies[audit.copies["relation"] == relation]
    chosen = table.sort_values("distance", ascending=False, kind="stable").head(PAIRS)
    return [
        Pair(
            _show(audit, row["path"], row["label"], row["split"]),
            _show(audit, row["other_path"], row["other_label"], row["other_split"]),
            row["kind"],
            row["distance"],
        )
        for _, row in chosen.iterrows()
    ]


def levels(audit: Audit) -> list[Level]:
    """The error levels of LEVELS pictures, of as many classes as there are."""
    each = max(1, LEVELS // len(audit.manifest.classes))
    found = []
    for _, row in audit.manifest.table.groupby("label").head(each).head(LEVELS).iterrows():
        image = picture(audit.manifest.root, row["path"])
        if image is None:
            continue
        # From the top left corner, so that the blocks of an earlier JPEG stay where they were.
        level = error_levels(image.crop((0, 0, min(image.width, _LEVEL_CROP), min(image.height, _LEVEL_CROP))))
        table = list(zip(QUALITIES, level.errors, level.bytes, strict=True))
        texts = [f"quality {quality}: {error:.2f}, {size} bytes" for quality, error, size in table]
        found.append(
            Level(
                Shown(small(image), shown(row["path"]), shown(row["label"]), row["split"]),
                small(level.map),
                curve(level.errors, texts, 180, 60),
                table,
            )
        )
    return found


def reasons(rejected: pd.DataFrame) -> list[Reason]:
    """The kinds of rejection, the most frequent first, each with a few files."""
    kinds = reason_kinds(rejected)
    return [
        Reason(
            shown(kind),
            int(count),
            [
                (shown(row["path"]), shown(row["class"]), shown(row["reason"], 200))
                for _, row in rejected[kinds == kind].head(EXAMPLES).iterrows()
            ],
        )
        for kind, count in kinds.value_counts().head(REASONS).items()
    ]


def _show(audit: Audit, path: str, label: str, split: str) -> Shown:
    return Shown(thumbnail(audit.manifest.root, path), shown(path), shown(label), split or "left out")


def _bounded(sentences: list[str]) -> list[str]:
    return [shown(sentence, _SENTENCE_LENGTH) for sentence in sentences[:SENTENCES]]
