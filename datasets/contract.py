"""The contract applied to pictures that were looked at: which are used, which belong together, how they are split."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from datasets.crossing import Crossing, crossing
from datasets.dedupe import Resolved, linked, resolve, same_value
from datasets.errors import DataContractBroken
from datasets.manifest import COLUMNS, Manifest, class_codes
from datasets.partition import leaks, partition
from datasets.selection import content_groups, pattern_groups, thinned
from datasets.spec import SPLITS, DatasetSpec
from datasets.splitting import ClassWithoutPart

Int64s = npt.NDArray[np.int64]


class Readable(NamedTuple):
    """What a scan of the files of the chosen classes found."""

    root: Path
    classes: tuple[str, ...]
    pictures: pd.DataFrame
    """Every readable picture in the manifest's order: all facts, label, given split, outside group."""
    rejected: pd.DataFrame
    """Every other file: path, reason, class."""
    pairs: pd.DataFrame
    """Links between copies, as `dedupe.copy_pairs` gives them."""


class Decided(NamedTuple):
    """The manifest, and what its split would tear apart if copies were ignored."""

    manifest: Manifest
    crossing: Crossing | None


def decide(spec: DatasetSpec, readable: Readable, notes: tuple[str, ...]) -> Decided:
    """The manifest of these pictures, with `notes` in front of its own; touches no file.

    Raises:
        DatasetUsageError: an option makes no sense.
        DataContractBroken: the pictures cannot serve for what is asked.
    """
    resolved = resolve(readable.pictures, readable.pairs, spec.copies, spec.conflicts)
    chosen = _choose(spec, resolved)
    parted = _split(spec, chosen, readable.classes)
    used = chosen.pictures[parted.keep]
    torn = crossing(spec, used, class_codes(used["label"], parted.classes), chosen.copies[parted.keep])
    table = chosen.pictures.assign(group=chosen.groups)[parted.keep].reset_index(drop=True)
    table["split"] = parted.split
    table["group"] = content_groups(table["pixels_sha256"].tolist(), table["group"].to_numpy(np.int64))
    rejected = pd.concat([readable.rejected, resolved.rejected, parted.rejected], ignore_index=True)
    said = [str(torn)] if torn is not None and torn.pictures else []
    manifest = Manifest(
        table=table.loc[:, list(COLUMNS)],
        rejected=rejected.sort_values(["class", "path"], kind="stable", ignore_index=True),
        classes=parted.classes,
        root=readable.root,
        notes=(*notes, *resolved.notes, *chosen.notes, *parted.notes, *said),
    )
    return Decided(manifest, torn)


class _Chosen(NamedTuple):
    pictures: pd.DataFrame
    groups: Int64s
    copies: Int64s
    notes: tuple[str, ...]


class _Parted(NamedTuple):
    keep: npt.NDArray[np.bool_]
    split: npt.NDArray[np.object_]
    rejected: pd.DataFrame
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def _choose(spec: DatasetSpec, resolved: Resolved) -> _Chosen:
    """Groups from copies and from outside together, and at most `max_per_class` pictures of a class."""
    pictures, copies, notes = resolved.kept, resolved.copies, []
    links = [same_value(pictures["outside"].to_numpy())]
    if spec.group_pattern is not None:
        found = pattern_groups(pictures["path"].tolist(), spec.group_pattern)
        links.append(same_value(np.array(found, object)))
        matched = sum(group is not None for group in found)
        notes.append(f"dataset.group_pattern found a group for {matched} of {len(found)} pictures")
    if spec.copies != "ignore":
        links.append(same_value(copies))
    groups = linked(len(pictures), *links)
    if spec.max_per_class is not None and len(pictures):
        keep = thinned(pictures, groups, spec.max_per_class, spec.split_seed)
        notes.append(f"dataset.max_per_class={spec.max_per_class}: {keep.sum()} of {len(pictures)} pictures are used")
        pictures, groups, copies = pictures[keep].reset_index(drop=True), groups[keep], copies[keep]
    return _Chosen(pictures, groups, copies, tuple(notes))


def _split(spec: DatasetSpec, chosen: _Chosen, classes: tuple[str, ...]) -> _Parted:
    """The split; classes too small for it are refused, or left out one by one."""
    dropped: dict[str, str] = {}
    while True:
        kept = tuple(name for name in classes if name not in dropped)
        if len(kept) < 2:
            raise DataContractBroken(
                f"fewer than two classes are left; {'; '.join(dropped.values())}: add pictures or change the split"
            )
        keep = chosen.pictures["label"].isin(kept).to_numpy()
        small = _too_small(spec, chosen.pictures["label"][keep], kept)
        labels = class_codes(chosen.pictures["label"][keep], kept)
        try:
            if small is not None:
                raise ClassWithoutPart(small)
            parted = partition(chosen.pictures["given"].to_numpy()[keep], labels, chosen.groups[keep], spec)
            break
        except ClassWithoutPart as error:
            name = kept[error.label]
            dropped[name] = _small_class(spec, name, labels == error.label, chosen.groups[keep])
            if spec.small_classes == "refuse":
                raise DataContractBroken(
                    f"{dropped[name]}: add pictures, or leave it out with dataset.small_classes=drop"
                ) from error
    used = keep.copy()
    used[keep] = parted.split != ""
    split = parted.split[parted.split != ""]
    notes = [*parted.notes, *(f"left out: {reason}" for reason in dropped.values())]
    notes += _leak_notes(spec, chosen.pictures[used], split, chosen.copies[used], chosen.groups[used])
    rejected = _rejections(chosen.pictures[~used], dropped)
    return _Parted(used, split, rejected, kept, tuple(notes))


def _too_small(spec: DatasetSpec, labels: "pd.Series[str]", classes: tuple[str, ...]) -> int | None:
    """The first class without the pictures it must have, as its position."""
    counts = labels.value_counts().reindex(list(classes), fill_value=0)
    small = np.flatnonzero(counts.to_numpy() < max(spec.min_per_class, 1))
    return int(small[0]) if len(small) else None


def _small_class(spec: DatasetSpec, name: str, rows: npt.NDArray[np.bool_], groups: Int64s) -> str:
    independent = len(np.unique(groups[rows]))
    needed = max(spec.folds, len(SPLITS)) if spec.split == "kfold" else len(SPLITS)
    return (
        f"class {name!r} has {rows.sum()} usable pictures in {independent} independent groups, too few: expected at "
        f"least {max(spec.min_per_class, needed)} in {needed}, some for each of train, val and test"
    )


def _rejections(pictures: pd.DataFrame, dropped: dict[str, str]) -> pd.DataFrame:
    reasons = pictures["label"].map(
        lambda label: "class left out" if label in dropped else "leak: companion in a later split"
    )
    return pd.DataFrame({"path": pictures["path"], "reason": reasons, "class": pictures["label"]}).astype(str)


def _leak_notes(
    spec: DatasetSpec, pictures: pd.DataFrame, split: npt.NDArray[np.object_], copies: Int64s, groups: Int64s
) -> list[str]:
    paths = pictures["path"].to_numpy()
    notes = []
    together = linked(len(pictures), same_value(copies), same_value(groups))
    for (one, other), rows in leaks(split, together).items():
        example = np.flatnonzero((split == other) & (together == together[rows[0]]))[0]
        way_out = (
            "dataset.fix_leaks=true takes them out" if spec.split == "given" else "dataset.copies=group prevents it"
        )
        notes.append(
            f"leak: {len(rows)} pictures of {one} have a copy or companion in {other} (such as {paths[rows[0]]} and "
            f"{paths[example]}); {way_out}"
        )
    return notes
