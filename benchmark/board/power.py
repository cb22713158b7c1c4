"""Power: how many more seeds or test images would separate the rows at the top that now cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.board.candidates import Candidate, gather
from benchmark.board.columns import Kind, typed
from benchmark.board.evidence import Evidence, Load, collect
from benchmark.board.leaderboard import require_rankable
from benchmark.board.sentences import SEED, score_text
from benchmark.records import RunRecord
from benchmark.statistics import Comparison, compare, pair_variance, power_hint, separable_gap

SEEDS = (1, 2, 3, 5, 10)
"""Numbers of seeds for which the images needed are told."""

_MOST_SEEDS = 100
_MOST_IMAGES = 10_000_000

POWER_KINDS: Mapping[str, Kind] = {
    "better": "text",
    "worse": "text",
    "gap": "decimal",
    "separable_gap": "decimal",
    "seeds": "integer",
    "images": "integer",
    "seeds_needed": "integer",
    **{f"images_needed_{seeds}_seeds": "integer" for seeds in SEEDS},
}
"""Columns of the table. `gap`: the difference seen now. `separable_gap`: the smallest true difference of the two
that is found with probability .8. `seeds_needed`: with the present images, empty where up to 100 do not help.
`images_needed_*`: in all, with that many seeds each, empty where no number helps."""


@dataclass(frozen=True, eq=False)
class Power:
    """Pairs of rows at the top that are not told apart, best pair first."""

    table: pd.DataFrame
    """Columns POWER_KINDS."""
    sentences: tuple[str, ...]


def power(records: Sequence[RunRecord], predictions: Load, primary: str, top: int) -> Power:
    """What it takes to separate the pairs among the `top` best rows, if the differences seen now are the true ones.

    Every needed number is for a chance of .8, at the critical value of the present board: more candidates would need
    more. New images are taken to be like the present ones.

    Raises:
        CannotRank: the metric has no method to compare candidates by.
        NotComparable, AmbiguousCandidate, MissingImages: as for the leaderboard.
    """
    metric = require_rankable(primary)
    candidates = [candidate for candidate in gather(records, primary) if candidate.status == "ok"]
    if len(candidates) < 2:
        return Power(typed([], POWER_KINDS), (f"{len(candidates)} complete candidates: there is no pair to separate.",))
    evidence = collect(candidates, predictions)
    comparison = compare(evidence.outcomes, metric, seed=SEED)
    sign = -1.0 if metric == "log_loss" else 1.0
    order = sorted(
        range(len(candidates)), key=lambda row: (-sign * comparison.estimates.score[row], candidates[row].name)
    )[:top]
    rows = []
    for place, better in enumerate(order):
        for worse in order[place + 1 :]:
            if not comparison.surely_better[better, worse]:
                rows.append(_pair(candidates, evidence, comparison, (better, worse)))
    return Power(typed(rows, POWER_KINDS), tuple(_sentences(rows, len(order), evidence, comparison)))


def _pair(
    candidates: Sequence[Candidate], evidence: Evidence, comparison: Comparison, pair: tuple[int, int]
) -> dict[str, Any]:
    """One row of the table."""
    better, worse = pair
    variance = pair_variance(evidence.outcomes, comparison, better, worse)
    gap = float(comparison.lead[better, worse])
    row: dict[str, Any] = {
        "better": candidates[better].name,
        "worse": candidates[worse].name,
        "gap": gap,
        "seeds": variance.seeds,
        "images": variance.images,
    }
    if gap <= 0 or not np.isfinite(comparison.critical_value):
        return row
    hint = power_hint(variance, comparison.critical_value, gap, tuple(range(1, _MOST_SEEDS + 1)))
    needed = hint.images_needed
    enough = [seeds for seeds, images in needed.items() if images <= variance.images]
    row |= {"separable_gap": hint.separable_gap, "seeds_needed": enough[0] if enough and variance.seeds > 1 else None}
    for seeds in SEEDS:
        known = needed[seeds] <= _MOST_IMAGES and (variance.seeds > 1 or seeds == 1)
        row[f"images_needed_{seeds}_seeds"] = int(np.ceil(needed[seeds])) if known else None
    return row


def _sentences(rows: Sequence[dict[str, Any]], shown: int, evidence: Evidence, comparison: Comparison) -> list[str]:
    """What the table says."""
    pairs = shown * (shown - 1) // 2
    lines = [f"{len(rows)} of the {pairs} pairs among the {shown} best rows cannot be told apart."]
    gap = separable_gap(comparison)
    if not np.isnan(gap):
        lines.append(
            f"{evidence.outcomes.images} test images: a typical pair needs a true gap of {score_text(gap)} to be told "
            "apart with probability .8."
        )
    if any(row["seeds"] == 1 for row in rows):
        lines.append(
            "One seed: nothing is known of the spread between seeds, so only images for these very weights are told; "
            "run three seeds or more."
        )
    return [*lines, *(_plain(row) for row in rows)]


def _plain(row: Mapping[str, Any]) -> str:
    """One pair in one sentence."""
    pair = f"{row['better']} and {row['worse']}"
    if row["gap"] <= 0:
        return f"{pair} have the same score: no number of seeds or images tells them apart, take them as equal."
    ways = []
    if row.get("seeds_needed"):
        ways.append(f"{row['seeds_needed']} seeds each on these images")
    if row.get(_present(row)):
        seeds = _nearest(row["seeds"])
        ways.append(f"{row[_present(row)]:,} test images at {seeds} {'seed' if seeds == 1 else 'seeds'} each")
    if not ways:
        return f"{pair}, {score_text(row['gap'])} apart: neither seeds nor images within reach, take them as equal."
    return f"{pair}, {score_text(row['gap'])} apart: {' or '.join(ways)} would tell them apart (chance .8)."


def _nearest(seeds: int) -> int:
    """The told number of seeds that is nearest to the present one, the smaller of two."""
    return min(SEEDS, key=lambda one: (abs(one - seeds), one))


def _present(row: Mapping[str, Any]) -> str:
    """The column of the images needed with about as many seeds as there are."""
    return f"images_needed_{_nearest(row['seeds'])}_seeds"
