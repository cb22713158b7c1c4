"""How many copies would stand on both sides of the split if nobody kept them together."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datasets.spec import SPLITS, Split
from datasets.splitting import allocate

Int64s = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


class Crossing(NamedTuple):
    """`pictures` of the `test` pictures would have a copy in train or val."""

    pictures: int
    test: int

    def __str__(self) -> str:
        """A sentence for the reader of a report."""
        share = f" ({self.pictures / self.test:.1%})" if self.test else ""
        return f"{self.pictures} of {self.test} test pictures{share} would have a copy in train or val"


class Groups(NamedTuple):
    """Group codes of each picture, shape (n,) each: of copies, and of what belongs together for other reasons."""

    copies: Int64s
    others: Int64s


def crossing(given: Texts | None, labels: Int64s, groups: Groups, shares: Mapping[Split, float], seed: int) -> Crossing:
    """The test pictures with a copy elsewhere under a split that is blind to copies.

    Args:
        given: a ready-made split, shape (n,), which is taken as it is; None = the pictures are dealt out
        labels: class codes 0..C-1, shape (n,)
        groups: what belongs together
        shares: of train, val and test, above 0, adding up to 1
        seed: of the blind split
    """
    split = given
    if split is None:
        parts = allocate(labels, groups.others, [shares[name] for name in SPLITS], seed)
        split = np.array(SPLITS, object)[parts]
    test = split == "test"
    return Crossing(int(np.isin(groups.copies[test], groups.copies[~test]).sum()), int(test.sum()))
