"""How many copies would stand on both sides of the split if nobody kept them together."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from datasets.dedupe import linked, same_value
from datasets.partition import partition
from datasets.selection import pattern_groups
from datasets.spec import DatasetSpec

Int64s = npt.NDArray[np.int64]


class Crossing(NamedTuple):
    """`pictures` of the `test` pictures would have a copy in train or val."""

    pictures: int
    test: int

    def __str__(self) -> str:
        """A sentence for whoever shows results on these pictures."""
        return (
            f"with copies=ignore, {self.pictures} of {self.test} test pictures ({self.pictures / self.test:.1%}) have "
            "a copy in train or val"
        )


def crossing(spec: DatasetSpec, pictures: pd.DataFrame, labels: Int64s, copies: Int64s) -> Crossing | None:
    """What the split of the same seed would tear apart with `copies=ignore`.

    None where nothing would change: the split is ready-made, or there are no copies.

    Args:
        spec: how to split
        pictures: columns path, given and outside (as `prepare.pictures_of` gives them)
        labels: class codes 0..C-1, shape (n,)
        copies: group of copies of each picture, shape (n,)
    """
    if spec.split == "given" or np.bincount(copies).max(initial=0) < 2:
        return None
    links = [same_value(pictures["outside"].to_numpy())]
    if spec.group_pattern is not None:
        links.append(same_value(np.array(pattern_groups(pictures["path"].tolist(), spec.group_pattern), object)))
    blind = partition(pictures["given"].to_numpy(), labels, linked(len(pictures), *links), spec)
    test = blind.split == "test"
    return Crossing(int(np.isin(copies[test], copies[~test]).sum()), int(test.sum()))
