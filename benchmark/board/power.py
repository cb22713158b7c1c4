"""Power: how many more seeds or test images would separate the rows at the top that now cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.board.candidates import Candidate, gather
from benchmark.board.columns import Kind, typed
from benchmark.board.effect_tables import TextTable
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


_TITLES: Mapping[str, str] = {
    **{name: name.replace("_", " ") for name in POWER_KINDS},
    **{f"images_needed_{seeds}_seeds": f"images at {seeds} {'seed' if seeds == 1 else 'seeds'}" for seeds in SEEDS},
}
LEAST_TOLD = tuple(_TITLES[f"images_needed_{seeds}_seeds"] for seeds in (10, 2, 5, 1, 3))
"""Columns of the table as text that can be missed on a narrow screen, the most dispensable first."""


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
        found = "One complete candidate" if candidates else "No complete candidate"
        return Power(typed([], POWER_KINDS), (f"{found}: there is no pair to separate.",))
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


def power_table(found: Power) -> TextTable:
    """The pairs as text: three decimals, thousands marked, without columns in which no pair has a number."""
    rows = found.table.to_dict("records")
    cells = {_TITLES[name]: [_cell(row[name]) for row in rows] for name in POWER_KINDS}
    kept = {title: column for title, column in cells.items() if any(column)}
    return TextTable(tuple(kept), tuple(zip(*kept.values(), strict=True)))


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return score_text(value)
    return value if isinstance(value, str) else f"{value:,}"


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
    lines = [
        f"The two best rows {'cannot' if rows else 'can'} be told apart."
        if pairs == 1
        else f"{len(rows)} of the {pairs} pairs among the {shown} best rows cannot be told apart."
    ]
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
        ways.append(f"{_seeds(row['seeds_needed'])} each on these images")
    if row.get(_present(row)):
        ways.append(f"{row[_present(row)]:,} test images at {_seeds(_nearest(row['seeds']))} each")
    if not ways:
        return f"{pair}, {score_text(row['gap'])} apart: neither seeds nor images within reach, take them as equal."
    return f"{pair}, {score_text(row['gap'])} apart: {' or '.join(ways)} would tell them apart (chance .8)."


def _seeds(number: int) -> str:
    return "1 seed" if number == 1 else f"{number} seeds"


def _nearest(seeds: int) -> int:
    """The told number of seeds that is nearest to the present one, the smaller of two."""
    return min(SEEDS, key=lambda one: (abs(one - seeds), one))


def _present(row: Mapping[str, Any]) -> str:
    """The column of the images needed with about as many seeds as there are."""
    return f"images_needed_{_nearest(row['seeds'])}_seeds"
