"""Effects: what one choice changes, everything else being equal, with intervals that hold all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmark.board.axes import Axis, Matching, Pair, Unmatched, match, varying
from benchmark.board.candidates import Candidate, gather
from benchmark.board.evidence import Load, collect
from benchmark.board.leaderboard import require_rankable
from benchmark.board.recalls import fits_into_memory, recall_outcomes
from benchmark.board.sentences import SEED
from benchmark.records import RunRecord
from benchmark.statistics import ContrastIntervals, Outcomes, cautions, contrast_intervals

ALL_BACKBONES = "all"
"""Stands in the place of a backbone for the mean over the pairs of several backbones."""

MOST_NAMED = 4
"""More candidates without a partner are counted; `unmatched` has them all."""

_NO_WIDTH = 1e-9
"""An interval narrower than this is what rounding leaves of none."""
_USUAL: Mapping[str, str] = MappingProxyType({})


class Effect(NamedTuple):
    """A level against its reference: the mean difference over pairs of candidates alike in everything else.

    difference: positive when the level is better, whatever the metric; of a recall 0..1.
    low, high: simultaneous 95 % interval; NaN where both sides gave the same answers and nothing can be said.
    p_value: adjusted for all effects on the same metric; at most .05 exactly when the interval leaves out 0.
    """

    axis: str
    level: str
    reference: str
    backbone: str
    """A backbone, or `all` for the mean over the pairs of several."""
    metric: str
    """The primary metric, or `recall`."""
    class_name: str
    """Whose recall; empty for the primary metric."""
    pairs: int
    difference: float
    low: float
    high: float
    p_value: float

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `cannot tell`, or `same answers`."""
        if np.isnan(self.low):
            return "same answers"
        if self.p_value > 0.05:
            return "cannot tell"
        return "better" if self.difference > 0 else "worse"


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects on the primary metric and on every class's recall, and what could not be judged."""

    primary: str
    on_primary: tuple[Effect, ...]
    """By axis and level: one for each backbone and, if there are several, one for all."""
    on_recall: tuple[Effect, ...]
    """By axis, level and class, over all backbones."""
    unmatched: tuple[Unmatched, ...]
    sentences: tuple[str, ...]


class _Contrast(NamedTuple):
    axis: Axis
    level: str
    backbone: str
    pairs: tuple[Pair, ...]


def find_effects(
    records: Sequence[RunRecord], predictions: Load, primary: str, references: Mapping[str, str] = _USUAL
) -> Effects:
    """The effect of every choice that varies between these candidates.

    Candidates are paired when they differ in nothing but the axis and both are complete. An effect is the mean over
    such pairs. Its interval is simultaneous over all effects on the primary metric; those on recall have intervals
    simultaneous over all levels and classes, apart from the former. A mean over backbones speaks of these backbones.

    Args:
        records: runs of one sweep, in any order; baselines have no axes and are left out.
        predictions: from a finished run to what it said about the test split.
        primary: one of `benchmark.statistics.METRICS`.
        references: from an axis to the level to compare with, instead of the usual one (see `axes.varying`).

    Raises:
        CannotRank, NotComparable, AmbiguousCandidate, MissingImages: as the leaderboard.
        UnknownReference: there is no such axis or level.
    """
    metric = require_rankable(primary)
    candidates = [candidate for candidate in gather(records, primary) if not candidate.is_baseline]
    axes = varying(candidates, references)
    matchings = [matching for axis in axes for matching in match(axis, candidates)]
    unmatched = tuple(one for matching in matchings for one in matching.unmatched)
    contrasts = [contrast for matching in matchings for contrast in _contrasts(matching)]
    if not contrasts:
        return Effects(primary, (), (), unmatched, tuple(_nothing(axes, matchings, candidates)))
    used = {side.name: side for contrast in contrasts for pair in contrast.pairs for side in pair}
    names = sorted(used)
    outcomes = collect([used[name] for name in names], predictions).outcomes
    weights = np.array([_weights(contrast, names) for contrast in contrasts])
    found = contrast_intervals(outcomes, metric, weights, seed=SEED)
    on_primary = tuple(_effects(contrasts, found, primary))
    whole = [index for index, contrast in enumerate(contrasts) if _is_whole(contrast, contrasts)]
    lines = [*_header(on_primary, primary, axes), *_gaps(matchings), *cautions(outcomes, metric)]
    if not fits_into_memory(outcomes):
        lines.append("Effects on recall were left out: so many candidates and classes do not fit into memory.")
        return Effects(primary, on_primary, (), unmatched, tuple(lines))
    judged = [contrasts[index] for index in whole]
    on_recall = _on_recall(outcomes, judged, weights[whole], candidates[0].records[0].classes)
    return Effects(primary, on_primary, on_recall, unmatched, tuple(lines))


def _contrasts(matching: Matching) -> list[_Contrast]:
    """One contrast for each backbone with pairs and, if there are several, one over all pairs."""
    by_backbone: dict[str, list[Pair]] = {}
    for pair in matching.pairs:
        by_backbone.setdefault(pair.changed.axes["backbone"], []).append(pair)
    found = [_Contrast(matching.axis, matching.level, name, tuple(by_backbone[name])) for name in sorted(by_backbone)]
    if len(found) > 1:
        found.append(_Contrast(matching.axis, matching.level, ALL_BACKBONES, matching.pairs))
    return found


def _is_whole(contrast: _Contrast, contrasts: Sequence[_Contrast]) -> bool:
    """Whether the contrast is the widest of its level: over all backbones, or over the only one."""
    key = (contrast.axis.name, contrast.level)
    return contrast.backbone == [one.backbone for one in contrasts if (one.axis.name, one.level) == key][-1]


def _weights(contrast: _Contrast, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Weight of every candidate in the mean difference; they sum to 0."""
    weights = np.zeros(len(names))
    for pair in contrast.pairs:
        weights[names.index(pair.changed.name)] += 1 / len(contrast.pairs)
        weights[names.index(pair.reference.name)] -= 1 / len(contrast.pairs)
    return weights


def _effects(contrasts: Sequence[_Contrast], found: ContrastIntervals, metric: str) -> list[Effect]:
    """The contrasts' results; without an interval where both sides gave the same answers."""
    differing = (found.standard_error > 0) & (found.high - found.low > _NO_WIDTH)
    low, high = (np.where(differing, end, np.nan) for end in (found.low, found.high))
    return [
        Effect(
            axis=contrast.axis.name,
            level=contrast.level,
            reference=contrast.axis.reference,
            backbone=contrast.backbone,
            metric=metric,
            class_name="",
            pairs=len(contrast.pairs),
            difference=float(found.difference[index]),
            low=float(low[index]),
            high=float(high[index]),
            p_value=float(found.p_value[index]),
        )
        for index, contrast in enumerate(contrasts)
    ]


def _on_recall(
    outcomes: Outcomes, contrasts: Sequence[_Contrast], weights: npt.NDArray[np.float64], classes: Sequence[str]
) -> tuple[Effect, ...]:
    """The effects on the recall of every class with test images, all of them in one family."""
    present = outcomes.present_classes
    # Balanced accuracy of the answers to one class is that class's recall over the number of classes.
    spread = np.kron(weights, np.eye(present.size)) * present.size
    found = contrast_intervals(recall_outcomes(outcomes), "balanced_accuracy", spread, seed=SEED)
    repeated = [contrast for contrast in contrasts for _ in present]
    names = [classes[label] for _ in contrasts for label in present]
    return tuple(
        effect._replace(class_name=name, low=max(effect.low, -1.0), high=min(effect.high, 1.0))
        for effect, name in zip(_effects(repeated, found, "recall"), names, strict=True)
    )


def _header(effects: Sequence[Effect], primary: str, axes: Sequence[Axis]) -> list[str]:
    """What is said over effects that were found."""
    told = sum(effect.verdict in ("better", "worse") for effect in effects)
    judged = {effect.axis for effect in effects}
    references = ", ".join(f"{axis.name} {axis.reference}" for axis in axes if axis.name in judged)
    lines = [
        f"{told} of {len(effects)} effects on {primary} can be told from none (95 %, all together); above 0 is better "
        "than the reference.",
        f"References: {references}.",
    ]
    if any(effect.backbone == ALL_BACKBONES for effect in effects):
        lines.append("A mean over all backbones speaks of the backbones of this sweep, not of others.")
    return lines


def _gaps(matchings: Sequence[Matching]) -> list[str]:
    """Which candidates have no partner, by level and reason; of many only the first are named."""
    lines = []
    for matching in matchings:
        what = f"{matching.axis.name} {matching.level} against {matching.axis.reference}"
        if not matching.pairs:
            lines.append(f"No pair for {what}: no two complete candidates differ in it alone.")
        reasons: dict[str, list[str]] = {}
        for one in matching.unmatched[:MOST_NAMED]:
            reasons.setdefault(one.reason, []).append(one.candidate)
        lines += [f"Left out of {what}: {', '.join(names)} ({reason})." for reason, names in reasons.items()]
        if more := len(matching.unmatched[MOST_NAMED:]):
            lines.append(f"Left out of {what}: {more} more; --format json names {'it' if more == 1 else 'them all'}.")
    return lines


def _nothing(axes: Sequence[Axis], matchings: Sequence[Matching], candidates: Sequence[Candidate]) -> list[str]:
    """What is said when there is no effect to show."""
    if candidates and not any(candidate.is_complete for candidate in candidates):
        states = Counter(candidate.status for candidate in candidates)
        listed = ", ".join(f"{count} {status}" for status, count in sorted(states.items()))
        return [f"No candidate is complete ({listed}), so that nothing can be compared; bench failures says why."]
    if axes:
        return _gaps(matchings)
    return [
        "Nothing but the backbone varies: sweep two weightings, augmentations, heads, ways of fine-tuning or image "
        "sizes to see what they change."
    ]
