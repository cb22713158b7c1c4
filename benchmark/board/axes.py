"""Axes: what varies between candidates, the levels it has, and which candidates differ in nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmark.board.candidates import Candidate, recipe
from benchmark.registry import near

EFFECT_AXES: Mapping[str, str] = {
    "weighting": "weighting.",
    "augmentation": "augmentation.",
    "head": "head.",
    "finetune": "finetune.",
    "image_size": "dataset.image_size",
    "weights": "backbone.weights",
    "pooling": "backbone.pooling",
}
"""From an axis to its key in the flat spec, or to the start of its keys (those end in a point)."""

USUAL_REFERENCES: Mapping[str, str] = {
    "weighting": "none",
    "augmentation": "none",
    "head": "linear",
    "finetune": "frozen",
    "weights": "imagenet",
    "pooling": "avg",
}
"""What the other levels are compared with unless told otherwise; of image sizes it is the smallest."""


class UnknownReference(ValueError):
    """A reference level that the candidates do not have."""


class Axis(NamedTuple):
    """Something that varies between candidates, and the level that all others are compared with."""

    name: str
    reference: str
    levels: tuple[str, ...]
    """The other levels, in a fixed order."""
    of: Mapping[str, str]
    """From a candidate's name to its level."""


class Pair(NamedTuple):
    """Two complete candidates that differ in one axis only."""

    changed: Candidate
    reference: Candidate


class Unmatched(NamedTuple):
    """A candidate that could not be paired at one level, and why."""

    axis: str
    level: str
    candidate: str
    reason: str


class Matching(NamedTuple):
    """What one level of an axis can be judged by."""

    axis: Axis
    level: str
    pairs: tuple[Pair, ...]
    unmatched: tuple[Unmatched, ...]


def varying(candidates: Sequence[Candidate], references: Mapping[str, str]) -> tuple[Axis, ...]:
    """The axes with two levels or more among these candidates, failed and pending ones included.

    A level carries the name of its part of the spec; parts of one name and different content are told apart by what
    differs: `focal (focal_gamma=1.0)`. Where the usual reference is missing, the most frequent level takes its place.

    Args:
        candidates: without baselines.
        references: from an axis to the level to compare with, instead of the usual one.

    Raises:
        UnknownReference: there is no such axis, or it has no such level.
    """
    for name in references:
        if name not in EFFECT_AXES:
            raise UnknownReference(f"unknown axis {name!r}{near(name, EFFECT_AXES)}")
    contents = {candidate.name: recipe(candidate.spec) for candidate in candidates}
    axes = []
    for name in EFFECT_AXES:
        levels = _levels(name, contents)
        counts = Counter(levels.values())
        if len(counts) > 1 or name in references:
            reference = _reference(name, counts, references)
            others = sorted(counts.keys() - {reference}, key=lambda level: _place(name, level))
            axes.append(Axis(name, reference, tuple(others), levels))
    return tuple(axis for axis in axes if axis.levels)


def match(axis: Axis, candidates: Sequence[Candidate]) -> tuple[Matching, ...]:
    """For each level of the axis the pairs with its reference that are alike in everything else."""
    rest: dict[str, dict[str, Candidate]] = {}
    for candidate in candidates:
        content = {key: value for key, value in recipe(candidate.spec).items() if not _belongs(key, axis.name)}
        rest.setdefault(_canonical(content), {})[axis.of[candidate.name]] = candidate
    matchings = []
    for level in axis.levels:
        pairs, unmatched = [], []
        for alike in rest.values():
            changed, reference = alike.get(level), alike.get(axis.reference)
            if changed and reference and changed.status == reference.status == "ok":
                pairs.append(Pair(changed, reference))
            elif changed or reference:
                unmatched.append(_unmatched(axis, level, changed, reference))
        pairs.sort(key=lambda pair: pair.changed.name)
        matchings.append(Matching(axis, level, tuple(pairs), tuple(sorted(unmatched))))
    return tuple(matchings)


def _levels(axis: str, contents: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """From a candidate's name to its level of this axis."""
    key = EFFECT_AXES[axis]
    if not key.endswith("."):
        return {name: str(content[key]) for name, content in contents.items()}
    parts = {
        name: {own.removeprefix(key): value for own, value in content.items() if own.startswith(key)}
        for name, content in contents.items()
    }
    variants: dict[str, dict[str, dict[str, Any]]] = {}
    for part in parts.values():
        variants.setdefault(part["name"], {})[_canonical(part)] = part
    labels = {
        content: _label(part, list(same.values())) for same in variants.values() for content, part in same.items()
    }
    return {name: labels[_canonical(part)] for name, part in parts.items()}


def _label(part: Mapping[str, Any], same_name: Sequence[Mapping[str, Any]]) -> str:
    """The part's name, with the keys that tell it from the others of that name."""
    keys = sorted({key for other in same_name for key in {*other, *part} if other.get(key) != part.get(key)})
    details = ", ".join(f"{key}={part.get(key)}" for key in keys)
    return f"{part['name']} ({details})" if details else str(part["name"])


def _reference(axis: str, counts: Counter[str], references: Mapping[str, str]) -> str:
    """The level to compare with: the one asked for, the usual one, the smallest size or the most frequent."""
    asked = references.get(axis)
    if asked is not None and asked not in counts:
        raise UnknownReference(
            f"found no candidate with {axis}={asked}; expected one of {', '.join(sorted(counts)) or 'none at all'}: "
            f"give --reference {axis}=LEVEL with one of these"
        )
    if asked is not None:
        return asked
    if axis == "image_size":
        return min(counts, key=int)
    usual = USUAL_REFERENCES[axis]
    named = [level for level in counts if level == usual or level.startswith(f"{usual} (")]
    return min(named or counts, key=lambda level: (-counts[level], level))


def _unmatched(axis: Axis, level: str, changed: Candidate | None, reference: Candidate | None) -> Unmatched:
    """Why these one or two candidates make no pair."""
    if changed and reference:
        whole, broken = (reference, changed) if reference.status == "ok" else (changed, reference)
        itself = "" if whole.status == "ok" else f"it is {whole.status} and "
        return Unmatched(axis.name, level, whole.name, f"{itself}its partner {broken.name} is {broken.status}")
    found, wanted = (changed, axis.reference) if changed else (reference, level)
    assert found is not None
    return Unmatched(axis.name, level, found.name, f"no candidate differs from it only in {axis.name}={wanted}")


def _belongs(key: str, axis: str) -> bool:
    own = EFFECT_AXES[axis]
    return key.startswith(own) if own.endswith(".") else key == own


def _place(axis: str, level: str) -> tuple[int, str]:
    """Sizes by number, everything else by name."""
    return (int(level), "") if axis == "image_size" else (0, level)


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True)
