"""The split of each picture: a holdout, one of k folds, or a ready-made split completed and checked for leaks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from datasets.errors import DataContractBroken
from datasets.spec import SPLITS, DatasetSpec
from datasets.splitting import ClassWithoutPart, allocate

Int64s = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


class Partition(NamedTuple):
    """The split of each row ('' = taken out because it leaks), shape (n,), and what must be said."""

    split: Texts
    notes: tuple[str, ...]


def partition(given: Texts, labels: Int64s, groups: Int64s, spec: DatasetSpec) -> Partition:
    """The split that the spec asks for; `given` holds the source's own splits, None where it knows none.

    Raises:
        ClassWithoutPart: a class cannot appear in train, val and test.
        DataContractBroken: the ready-made split has no train part.
    """
    if spec.split == "given":
        result = _completed(given, labels, groups, spec)
    elif spec.split == "kfold":
        result = Partition(_fold(labels, groups, spec), ())
    else:
        shares = [spec.fractions.train, spec.fractions.val, spec.fractions.test]
        result = Partition(_named(allocate(labels, groups, shares, spec.split_seed)), ())
    for label in range(int(labels.max()) + 1):
        if len({*result.split[labels == label]} - {""}) < len(SPLITS):
            raise ClassWithoutPart(label)
    return result


def leaks(split: Texts, copies: Int64s) -> dict[tuple[str, str], Int64s]:
    """For each pair of splits, the rows of the first (train before val before test) that have a copy in the second."""
    found = {}
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        rows = np.flatnonzero((split == one) & np.isin(copies, copies[split == other]))
        if len(rows):
            found[one, other] = rows
    return found


def _fold(labels: Int64s, groups: Int64s, spec: DatasetSpec) -> Texts:
    folds = allocate(labels, groups, [1 / spec.folds] * spec.folds, spec.split_seed)
    split = np.where(folds == spec.fold, "test", "train").astype(object)
    rows = np.flatnonzero(split == "train")
    _carve(split, rows, ["val"], (labels, groups), spec)
    return split


def _completed(given: Texts, labels: Int64s, groups: Int64s, spec: DatasetSpec) -> Partition:
    split = given.copy()
    notes = []
    if spec.fix_leaks:
        leaking = list(leaks(split, groups).values())
        if leaking:
            rows = np.unique(np.concatenate(leaking))
            split[rows] = ""
            notes.append(f"{len(rows)} pictures with a companion in a later split were taken out (dataset.fix_leaks)")
    missing = [name for name in SPLITS if not (given == name).any()]
    if "train" in missing:
        raise DataContractBroken("the ready-made split has no picture in train: expected train and test at least")
    if missing:
        _carve(split, np.flatnonzero(split == "train"), missing, (labels, groups), spec)
        for name in missing:
            long = {"val": "validation", "test": "test"}[name]
            notes.append(f"there is no {long} part: {(split == name).sum()} pictures were carved out of train")
    return Partition(split, tuple(notes))


def _carve(split: Texts, rows: Int64s, missing: Sequence[str], keys: tuple[Int64s, Int64s], spec: DatasetSpec) -> None:
    """Give some of these rows to the missing splits, in place, in the proportions of the fractions."""
    names = ["train", *missing]
    wanted = np.array([getattr(spec.fractions, name) for name in names])
    labels, groups = keys
    present = pd.factorize(labels[rows], sort=True)
    try:
        parts = allocate(present[0], groups[rows], (wanted / wanted.sum()).tolist(), spec.split_seed)
    except ClassWithoutPart as error:
        raise ClassWithoutPart(int(present[1][error.label])) from error
    split[rows] = np.array(names, object)[parts]


def _named(parts: Int64s) -> Texts:
    return np.array(SPLITS, object)[parts]
