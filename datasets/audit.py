"""Audit: a manifest together with everything that was seen on the way to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from datasets.crossing import Crossing
from datasets.dedupe import conflicting, groups_of
from datasets.examine import LEFT_OUT, examine
from datasets.manifest import Manifest
from datasets.partition import leaks
from datasets.processes import Progress
from datasets.spec import DatasetLocation, DatasetSpec

Int64s = npt.NDArray[np.int64]

COPY_COLUMNS = (
    "group", "relation", "kind", "distance", "path", "label", "split", "other_path", "other_label", "other_split",
)  # fmt: skip


class Looked(NamedTuple):
    """How many files there were, and how many of them were known from an earlier look and not opened."""

    files: int
    remembered: int


@dataclass(frozen=True, eq=False)
class Audit:
    """What is known of a folder of pictures before any model sees them."""

    spec: DatasetSpec
    manifest: Manifest
    pictures: pd.DataFrame
    """Every readable picture, left out or not: path, label, split ('' = left out), width, height, format, mode,
    frames, brightness (mean grey, 0..255), bytes, sha256, pixels_sha256."""
    pairs: pd.DataFrame
    """Links between copies: first and second (rows of `pictures`), distance (bits), kind (bytes, pixels, near or
    mirrored)."""
    crossing: Crossing | None
    looked: Looked

    @cached_property
    def groups(self) -> Int64s:
        """The number of each picture's group of copies, shape (len(pictures),)."""
        return groups_of(len(self.pictures), self.pairs)

    @cached_property
    def disputed(self) -> npt.NDArray[np.bool_]:
        """Whether each picture has a copy with another label, shape (len(pictures),)."""
        return conflicting(self.groups, self.pictures["label"])

    @cached_property
    def copied(self) -> npt.NDArray[np.bool_]:
        """Whether each picture has a copy at all, shape (len(pictures),)."""
        return np.bincount(self.groups)[self.groups] > 1

    @property
    def leaks(self) -> Mapping[tuple[str, str], int]:
        """For each pair of splits, how many pictures of the first have a copy in the second."""
        used = (self.pictures["split"] != LEFT_OUT).to_numpy()
        found = leaks(self.pictures["split"].to_numpy(object)[used], self.groups[used])
        return {pair: len(rows) for pair, rows in found.items()}

    @cached_property
    def copies(self) -> pd.DataFrame:
        """One row per link between two copies, columns COPY_COLUMNS; relation is `same label` or `conflict`."""
        first, second = (self.pairs[name].to_numpy(np.int64) for name in ("first", "second"))
        columns: dict[str, object] = {
            "group": self.groups[first] if len(first) else first,
            "relation": np.where(self.disputed[first], "conflict", "same label") if len(first) else [],
            "kind": self.pairs["kind"].to_numpy(),
            "distance": self.pairs["distance"].to_numpy(np.int64),
        }
        for prefix, rows in (("", first), ("other_", second)):
            columns |= {f"{prefix}{name}": self.pictures[name].to_numpy()[rows] for name in ("path", "label", "split")}
        table = pd.DataFrame(columns, columns=list(COPY_COLUMNS))
        table["group"] = pd.factorize(table["group"])[0] + 1
        return table.sort_values(["group", "path", "other_path"], ignore_index=True)


def audit(
    spec: DatasetSpec, location: DatasetLocation, cache_dir: Path, workers: int, progress: Progress | None
) -> Audit:
    """The manifest that `prepare` gives, and what was seen on the way to it.

    Raises:
        DatasetUsageError: an option makes no sense, or the folder or table is not there.
        DataContractBroken: the pictures cannot serve for what is asked.
    """
    found = examine(spec, location, cache_dir, workers, progress)
    pairs = _named_pairs(found.pictures, found.pairs)
    return Audit(spec, found.manifest, found.pictures, pairs, found.crossing, Looked(found.files, found.remembered))


def _named_pairs(pictures: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs, those with the same bytes told apart from those with the same pixels only."""
    content = pictures["sha256"].to_numpy()
    first, second = (pairs[name].to_numpy(np.int64) for name in ("first", "second"))
    return pairs.assign(kind=pairs["kind"].mask(content[first] == content[second], "bytes"))
