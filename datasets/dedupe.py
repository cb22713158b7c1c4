"""Groups of copies: pictures with the same bytes, the same pixels, or nearly the same perceptual hash."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from datasets.hashing import from_hex
from datasets.near import near_pairs

Int64s = npt.NDArray[np.int64]
Link = tuple[Int64s, Int64s]

PLAIN = 3.0
"""Contrast below which a picture is plain: its perceptual hash is that of noise."""


class Resolved(NamedTuple):
    """Pictures after copies and conflicts were dealt with."""

    kept: pd.DataFrame
    copies: Int64s
    """The number of each kept picture's group of copies, shape (len(kept),)."""
    rejected: pd.DataFrame
    """Columns path, reason, class."""
    notes: tuple[str, ...]


def copy_pairs(pictures: pd.DataFrame, near_distance: int | None) -> pd.DataFrame:
    """Pairs of row positions that link all copies: columns first, second, distance (bits), kind.

    Kind is pixels (equal, distance 0), near or mirrored. With `near_distance` None only equal pixels count. A mirrored
    pair whose labels differ is no pair: b and d, left and right may well be classes. The hash of a plain picture (see
    PLAIN) tells nothing, so only equal pixels make it a copy.
    """
    first, second = same_value(pictures["pixels_sha256"].to_numpy())
    pairs = pd.DataFrame({"first": first, "second": second, "distance": 0, "kind": "pixels"})
    if near_distance is None or pictures.empty:
        return pairs
    telling = np.flatnonzero(pictures["contrast"].to_numpy() >= PLAIN)
    upright, mirrored = (from_hex(pictures[name].iloc[telling].tolist()) for name in ("phash", "mirrored_phash"))
    found = near_pairs(upright, mirrored, near_distance)
    near = pd.DataFrame(
        {
            "first": telling[found.first],
            "second": telling[found.second],
            "distance": found.distance,
            "kind": np.where(found.mirrored, "mirrored", "near"),
        }
    )
    labels = pictures["label"].to_numpy()
    near = near[~(found.mirrored & (labels[near["first"]] != labels[near["second"]]))]
    return pd.concat([pairs, near], ignore_index=True).drop_duplicates(["first", "second"], ignore_index=True)


def groups_of(count: int, pairs: pd.DataFrame) -> Int64s:
    """The number of each row's group of copies, shape (count,)."""
    return linked(count, (pairs["first"].to_numpy(np.int64), pairs["second"].to_numpy(np.int64)))


def linked(count: int, *links: Link) -> Int64s:
    """The number of each row's connected component, shape (count,), when these pairs of rows are linked."""
    first = np.concatenate([link[0] for link in links])
    second = np.concatenate([link[1] for link in links])
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def same_value(values: npt.NDArray[Any]) -> Link:
    """Pairs of rows that link all rows with the same value; None links nothing."""
    codes = pd.factorize(values)[0]
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    equal = codes[order[1:]] == codes[order[:-1]]
    return order[:-1][equal].astype(np.int64), order[1:][equal].astype(np.int64)


def conflicting(groups: Int64s, labels: pd.Series) -> npt.NDArray[np.bool_]:
    """Whether each row's group of copies holds more than one label, shape (n,)."""
    return (labels.groupby(groups).transform("nunique") > 1).to_numpy()


def resolve(pictures: pd.DataFrame, pairs: pd.DataFrame, copies: str, conflicts: str) -> Resolved:
    """The pictures that remain: conflicts excluded or kept; copies grouped, dropped but for the largest, or ignored."""
    groups = groups_of(len(pictures), pairs)
    reasons = pd.Series("", index=pictures.index)
    disputed = conflicting(groups, pictures["label"])
    if disputed.any() and conflicts == "exclude":
        named = pictures["label"][disputed].groupby(groups[disputed])
        labels = named.transform(lambda texts: ", ".join(sorted(set(texts))))
        reasons[disputed] = "conflict: copies of this picture are labelled " + labels
    if copies == "drop":
        rows = pictures.assign(group=groups, area=-pictures["width"] * pictures["height"], weight=-pictures["bytes"])
        rows = rows.sort_values(["group", "area", "weight", "pixels_sha256", "label", "path"])
        best = rows.groupby("group")["path"].transform("first").reindex(pictures.index)
        surplus = (best != pictures["path"]) & (reasons == "")
        reasons[surplus] = "copy of " + best[surplus]
    keep = reasons == ""
    rejected = pd.DataFrame(
        {"path": pictures["path"][~keep], "reason": reasons[~keep], "class": pictures["label"][~keep]}
    )
    notes = _notes(groups, disputed, copies, conflicts)
    return Resolved(pictures[keep].reset_index(drop=True), groups[keep.to_numpy()], rejected, notes)


def _notes(groups: Int64s, disputed: npt.NDArray[np.bool_], copies: str, conflicts: str) -> tuple[str, ...]:
    sizes = np.bincount(groups)[groups]
    alike = (sizes > 1) & ~disputed
    notes = []
    if alike.any():
        what = {"group": "each group stays in one split", "drop": "the largest of each group is used"}
        number = _groups(groups[alike])
        notes.append(f"{alike.sum()} pictures are copies of others ({number}): {what.get(copies, 'ignored')}")
    if disputed.any():
        number = _groups(groups[disputed])
        done = "left out" if conflicts == "exclude" else "kept (dataset.conflicts=keep)"
        notes.append(f"{disputed.sum()} pictures have a copy with another label ({number}): {done}")
    return tuple(notes)


def _groups(numbers: Int64s) -> str:
    count = len(np.unique(numbers))
    return "1 group" if count == 1 else f"{count} groups"
