"""What the pictures suggest: sentences for the person who is about to train on them."""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from datasets.audit import Audit
from datasets.examine import LEFT_OUT
from datasets.spec import STANDARD_NAMES

SIZES = (32, 48, 64, 96, 128, 160, 192, 224, 256, 299, 384, 448, 512)
LIKELY_ACCURACY = 0.8
DISAGREEMENT = 0.1
POWER = 0.8
"""Probability with which a difference of the named size is found."""

_ALIKE_GROUP = 20
_IMBALANCE = 3.0
_STRETCHED = 0.2


def advice(audit: Audit) -> tuple[str, ...]:
    """Sentences: what was seen and what follows for image size, split and options."""
    return tuple(
        sentence
        for look in (_layout, _image_size, _test_set, _balance, _distance, _conflicts)
        for sentence in look(audit)
    )


def suggested_size(audit: Audit) -> int:
    """The largest usual image size, in pixels, that enlarges no more than half of the pictures."""
    shorter = audit.pictures[["width", "height"]].min(axis=1)
    fitting = [size for size in SIZES if size <= float(shorter.median())]
    return fitting[-1] if fitting else SIZES[0]


def half_width(pictures: int, share: float) -> float:
    """Half of the 95 % interval of a share that is measured on so many pictures (Wald)."""
    return NormalDist().inv_cdf(0.975) * math.sqrt(share * (1 - share) / pictures)


def visible_difference(pictures: int) -> float:
    """The difference in accuracy that a paired test at 5 % finds with probability POWER.

    Two models that disagree on a share DISAGREEMENT of the pictures: the normal approximation of McNemar's test.
    """
    reach = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(POWER)
    return reach * math.sqrt(DISAGREEMENT / pictures)


def _layout(audit: Audit) -> Iterator[str]:
    names = {name.lower() for name in audit.manifest.classes}
    if audit.spec.source == "folder" and "train" in names and names <= set(STANDARD_NAMES):
        yield (
            f"the classes are named {', '.join(audit.manifest.classes)}: this looks like a ready-made split, which the "
            "source given_split reads"
        )


def _image_size(audit: Audit) -> Iterator[str]:
    sides = audit.pictures[["width", "height"]]
    shorter = sides.min(axis=1)
    size = suggested_size(audit)
    smaller = float((shorter < size).mean())
    yield (
        f"image size: {size} px is the largest usual size that half of the pictures have (shorter side: median "
        f"{shorter.median():.0f} px, {smaller:.0%} of the pictures are smaller); more only enlarges"
    )
    stretched = float((sides.max(axis=1) / shorter > 1.5).mean())
    if stretched > _STRETCHED:
        yield (
            f"{stretched:.0%} of the pictures are more than half as long again as they are wide, or the other way "
            "round: resize=crop or resize=pad keeps their proportions, resize=squish does not"
        )


def _test_set(audit: Audit) -> Iterator[str]:
    test = audit.manifest.table[audit.manifest.table["split"] == "test"]
    independent = test["group"].nunique()
    yield (
        f"the test set has {len(test)} pictures in {independent} independent groups: an accuracy of "
        f"{LIKELY_ACCURACY:.2f} would be known to ± {half_width(independent, LIKELY_ACCURACY):.3f} (95 %), and of two "
        f"models that disagree on {DISAGREEMENT:.0%} of the pictures a difference below "
        f"{visible_difference(independent):.3f} would mostly stay unseen"
    )
    counts = audit.manifest.counts["test"]
    smallest = counts.idxmin()
    yield (
        f"the smallest class in the test set, {str(smallest)!r}, has {counts.min()} pictures: its recall would be "
        f"known to ± {half_width(int(counts.min()), LIKELY_ACCURACY):.2f}"
        + ("; with so few, k folds (split=kfold) tell more" if counts.min() < 30 else "")
    )


def _balance(audit: Audit) -> Iterator[str]:
    totals = audit.manifest.counts.sum(axis=1)
    ratio = float(totals.max() / totals.min())
    if ratio >= _IMBALANCE:
        yield (
            f"class {str(totals.idxmax())!r} has {ratio:.1f} times as many pictures as {str(totals.idxmin())!r}: "
            "compare weighting=none with weighting=balanced, and rank by balanced accuracy"
        )


def _distance(audit: Audit) -> Iterator[str]:
    """A hint when perceptual hashes link pictures that are merely alike."""
    near = audit.pairs[audit.pairs["kind"].isin(["near", "mirrored"])]
    if near.empty:
        return
    groups = audit.groups[near["first"].to_numpy()]
    sizes = np.bincount(audit.groups)
    largest = int(groups[sizes[groups].argmax()])
    if sizes[largest] < _ALIKE_GROUP:
        return
    widest = near[groups == largest].sort_values("distance", kind="stable").iloc[-1]
    paths = audit.pictures["path"]
    yield (
        f"near_distance={audit.spec.near_distance} links {sizes[largest]} pictures into one group (such as "
        f"{paths[widest['first']]} and {paths[widest['second']]}): look at them; if they are alike but not copies, "
        "take a smaller near_distance, or near_distance=null for equal pixels only"
    )


def _conflicts(audit: Audit) -> Iterator[str]:
    lost = audit.disputed & (audit.pictures["split"] == LEFT_OUT).to_numpy()
    if lost.any():
        yield (
            f"{lost.sum()} pictures were left out because copies of them bear different labels: copies.csv lists them; "
            "mend the labels, and they take part again"
        )
