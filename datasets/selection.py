"""Which classes and pictures take part, and which belong together."""

import re
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from datasets.errors import DatasetUsageError, did_you_mean
from datasets.spec import DatasetSpec

Int64s = npt.NDArray[np.int64]


def chosen_classes(spec: DatasetSpec, found: Collection[str]) -> tuple[str, ...]:
    """The class names in their order: the spec's own, or all that were found, sorted.

    Raises:
        DatasetUsageError: the spec names a class that is not there.
    """
    if spec.classes is None:
        return tuple(sorted(found))
    for name in spec.classes:
        if name not in found:
            raise DatasetUsageError(f"dataset.classes names {name!r}, which is not there; {did_you_mean(name, found)}")
    return spec.classes


def pattern_groups(paths: Sequence[str], pattern: str) -> list[str | None]:
    """What the pattern finds in each path: its group named `group`, else its first group, else the whole match."""
    compiled = re.compile(pattern)
    which: str | int = "group" if "group" in compiled.groupindex else min(compiled.groups, 1)
    return [match.group(which) if (match := compiled.search(path)) else None for path in paths]


def thinned(pictures: pd.DataFrame, groups: Int64s, max_per_class: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which rows to keep so that no class has more than `max_per_class`, shape (n,).

    Pictures of one group are kept or left together as far as possible. Where the source gives a split (column given),
    each part keeps its proportion, and at least one picture of each class.
    """
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)[groups]
    given = pictures["given"].fillna("").to_numpy()
    keys = pd.DataFrame({"label": pictures["label"], "given": given, "order": order})
    rank = keys.sort_values("order", kind="stable").groupby(["label", "given"]).cumcount().sort_index()
    total = keys.groupby("label")["order"].transform("size")
    part = keys.groupby(["label", "given"])["order"].transform("size")
    limit = np.maximum(1, np.floor(max_per_class * part / total + 0.5))
    return ((rank < limit) | (total <= max_per_class)).to_numpy()


def content_groups(pixels_sha256: Sequence[str], groups: Int64s) -> list[str]:
    """A name for each row's group that depends on the pictures' content and not on their file names.

    Rows must be in the manifest's order. The name is the beginning of the smallest hash in the group; groups with the
    same smallest hash are numbered.
    """
    rows = pd.DataFrame({"hash": list(pixels_sha256), "group": groups})
    smallest = rows.groupby("group", sort=False)["hash"].min().str[:16]
    number = smallest.groupby(smallest).cumcount()
    names = smallest.where(number == 0, smallest + "-" + (number + 1).astype(str))
    return rows["group"].map(names).tolist()
