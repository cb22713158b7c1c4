"""Pictures shared out among parts: stratified by class, whole groups in one part, decided by the seed alone."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]


class ClassWithoutPart(ValueError):
    """A class has too few groups to appear in every part; `label` is its code."""

    def __init__(self, label: int) -> None:
        """The class with this code."""
        super().__init__(f"class {label} has too few groups to appear in every part")
        self.label = label


def allocate(labels: Int64s, groups: Int64s, shares: Sequence[float], seed: int) -> Int64s:
    """The part (position in `shares`) of each row, shape (n,); the result depends on the rows' order and the seed.

    As in scikit-learn's StratifiedGroupKFold the groups are dealt out from the largest to the smallest, each to the
    part that its classes lack most; unlike it, the parts may have unequal shares, every class reaches every part if
    that is possible at all, and pictures without companions fill each class exactly to its share.

    Args:
        labels: class codes 0..C-1, shape (n,)
        groups: group codes 0..G-1, shape (n,)
        shares: positive, adding up to 1
        seed: any non-negative number

    Raises:
        ClassWithoutPart: a class cannot appear in every part.
    """
    generator = np.random.default_rng(seed)
    classes = int(labels.max()) + 1
    counts = np.bincount(labels, minlength=classes)
    quota = np.stack([_quota(int(count), shares) for count in counts])
    sizes = np.bincount(groups)
    parts = np.full(len(labels), -1, np.int64)
    taken = np.zeros_like(quota)
    companions = np.flatnonzero(sizes[groups] > 1)
    if len(companions):
        singles = np.bincount(labels[sizes[groups] == 1], minlength=classes)
        _deal_groups(labels, groups, companions, (quota, taken, parts, singles), generator)
    for label in range(classes):
        rows = np.flatnonzero((labels == label) & (parts < 0))
        generator.shuffle(rows)
        parts[rows] = np.repeat(np.arange(len(shares)), _fill(quota[label], taken[label], len(rows)))
    _check_presence(labels, parts, len(shares))
    return parts


def _quota(count: int, shares: Sequence[float]) -> Int64s:
    """Whole numbers adding up to `count`, nearest to the shares, none of them 0 if that can be."""
    exact = np.asarray(shares, float) * count
    quota = np.floor(exact + 1e-9).astype(np.int64)
    quota[np.argsort(quota - exact, kind="stable")[: count - int(quota.sum())]] += 1
    while count >= len(quota) and quota.min() == 0:
        quota[quota.argmin()] += 1
        quota[quota.argmax()] -= 1
    return quota


def _fill(quota: Int64s, taken: Int64s, count: int) -> Int64s:
    """How many of `count` single pictures of a class go to each part."""
    lacking = np.maximum(quota - taken, 0)
    while lacking.sum() > count:
        # A part that groups have filled already can do without; one that has none of the class comes last.
        spare = np.where(lacking > (taken == 0), lacking / quota.clip(1), -1.0)
        lacking[spare.argmax() if spare.max() > 0 else lacking.argmax()] -= 1
    return lacking


def _deal_groups(
    labels: Int64s,
    groups: Int64s,
    companions: Int64s,
    state: tuple[Int64s, Int64s, Int64s, Int64s],
    generator: np.random.Generator,
) -> None:
    """Give every group of two or more a part, in place."""
    quota, taken, parts, singles = state
    members = companions[np.argsort(groups[companions], kind="stable")]
    pieces = np.split(members, np.flatnonzero(np.diff(groups[members])) + 1)
    shuffled = [pieces[position] for position in generator.permutation(len(pieces))]
    ordered = sorted(shuffled, key=len, reverse=True)
    left = singles + np.bincount(
        np.concatenate([np.unique(labels[piece]) for piece in ordered]), minlength=len(singles)
    )
    for piece in ordered:
        held, amount = np.unique(labels[piece], return_counts=True)
        part = _best_part(quota[held], taken[held], amount, left[held])
        taken[held, part] += amount
        left[held] -= 1
        parts[piece] = part


def _best_part(quota: Int64s, taken: Int64s, amount: Int64s, left: Int64s) -> int:
    """The part for a group with `amount` pictures of some classes, of which `left` groups (this one too) remain."""
    missing = taken == 0
    urgent = missing[left <= missing.sum(axis=1)]
    excess = np.maximum(taken + amount[:, None] - quota, 0).sum(axis=0)
    lacking = ((quota - taken) / quota.clip(1)).sum(axis=0)
    # numpy's lexsort: the last key decides first.
    return int(np.lexsort((-lacking, excess, -urgent.sum(axis=0)))[0])


def _check_presence(labels: Int64s, parts: Int64s, number: int) -> None:
    for label in np.unique(labels):
        if len(np.unique(parts[labels == label])) < number:
            raise ClassWithoutPart(int(label))
