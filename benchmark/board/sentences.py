"""The sentences over a leaderboard: what it can and cannot tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmark.board.candidates import Candidate
from benchmark.board.evidence import Evidence
from benchmark.metrics import find
from benchmark.statistics import Comparison, Metric, cautions, honest_score, separable_gap

SEED = 0
"""Of every random draw on the board, so that the same results give the same bytes."""

CHEAPEST_BY_SIZE = "Cheapest row tied with the best"
"""How the sentence begins that knows sizes alone, as a board must that is the same on every machine."""

_NO_CHANGE = 1e-9
"""A difference below this is what rounding leaves of none."""


class Ranking(NamedTuple):
    """The compared candidates with everything that was found out about them."""

    candidates: tuple[Candidate, ...]
    evidence: Evidence
    comparison: Comparison
    rows: list[dict[str, Any]]
    """Ordered as on the board, unlike the other fields, which share the candidates' order."""
    primary: Metric


def score_text(value: float) -> str:
    """A score to three decimals, without the leading zero: `.924`, `1.000`, `-.003`; nothing is `-.000`."""
    text = f"{value:.3f}".replace("-0.000", "0.000")
    return text.replace("0.", ".", 1) if abs(value) < 0.9995 else text


def change_text(value: float) -> str:
    """A difference to three decimals, on its side of 0 also where they do not show it: `+.021`, `-.000`, `.000`."""
    side = "" if abs(value) < _NO_CHANGE else "+" if value > 0 else "-"
    return side + score_text(abs(value))


def named(first: str, count: int) -> str:
    """The first of so many rows that cost the same: `lenet-1a2b and 3 more`."""
    return first if count == 1 else f"{first} and {count - 1} more"


def header(ranking: Ranking) -> list[str]:
    """What is said over a board with at least one ranked row."""
    count, evidence = len(ranking.candidates), ranking.evidence
    lines = []
    if count == 1:
        lines.append("One candidate: there is nothing to compare it with.")
    else:
        tied = int(ranking.comparison.tied_with_best.sum())
        lines.append(
            f"One of {count} stands alone at the top by {ranking.primary} (95 %)."
            if tied == 1
            else f"{tied} of {count} are tied with the best by {ranking.primary} (95 %)."
        )
    lines.append(_power(ranking))
    if count > 1:
        raw = ranking.rows[0][f"test_{ranking.primary}"]
        honest = honest_score(evidence.outcomes, ranking.primary, seed=SEED)
        # Picking the luckiest row can only flatter it; what the resampling says beyond that is its own noise.
        honest = np.minimum(honest, raw) if find(ranking.primary).higher_is_better else np.maximum(honest, raw)
        if not np.isnan(honest):
            lines.append(f"Picking the top row: expect {score_text(honest)} (raw {score_text(raw)}).")
    lines += _choices(ranking)
    return lines + _warnings(ranking)


def unranked(candidates: Sequence[Candidate]) -> list[str]:
    """What is said of the candidates that were not compared."""
    missing = Counter(candidate.status for candidate in candidates if candidate.status not in ("ok", "baseline"))
    if not missing:
        return []
    listed = ", ".join(f"{count} {status}" for status, count in sorted(missing.items()))
    verb = "candidate has" if sum(missing.values()) == 1 else "candidates have"
    return [f"{sum(missing.values())} {verb} no rank: {listed}."]


def against_baselines(
    ranked: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], names: Sequence[str], primary: Metric
) -> list[str]:
    """Which ranked rows score no better than the best baseline: a network that does not has learnt nothing."""
    name, better = f"test_{primary}", find(primary).better
    scores = {one: row[name] for one, row in zip(names, others, strict=True) if one.startswith("baseline-")}
    if not scores or not ranked:
        return []
    best = max(scores, key=lambda one: scores[one] if find(primary).higher_is_better else -scores[one])
    beaten = [row["candidate"] for row in ranked if not better(row[name], scores[best])]
    if not beaten:
        return []
    score = "scores" if len(beaten) == 1 else "score"
    return [
        f"{len(beaten)} of {len(ranked)} ranked candidates {score} no better than {best} "
        f"({score_text(scores[best])}): what they cost buys nothing here."
    ]


def _power(ranking: Ranking) -> str:
    """How much data there is and which gaps it cannot separate."""
    outcomes = ranking.evidence.outcomes
    seeds = sorted({len(candidate.complete) for candidate in ranking.candidates})
    seed_text = (
        "1 seed" if seeds == [1] else f"{'-'.join(str(seed) for seed in dict.fromkeys((seeds[0], seeds[-1])))} seeds"
    )
    folds = len(ranking.candidates[0].folds)
    fold_text = f" pooled over {folds} folds" if folds > 1 else ""
    comparison = ranking.comparison
    errors = comparison.standard_error[comparison.standard_error > 0]
    gap = separable_gap(comparison)
    end = "."
    if np.isfinite(gap):
        least = comparison.critical_value * float(errors.min())
        end = f": gaps under {score_text(least)} cannot be separated; a typical pair needs {score_text(gap)}."
    elif len(ranking.candidates) > 1:
        end = ": all rows give the same answers, which tells nothing of the gaps between them."
    return f"{outcomes.images} test images in {outcomes.group_count} groups{fold_text}, {seed_text}{end}"


def _choices(ranking: Ranking) -> list[str]:
    """The cheapest of the best, and what validation would have chosen."""
    lines = []
    tied = [row for row in ranking.rows if row["tied_with_best"] and row.get("flops") is not None]
    if len({(row["flops"], row["total_parameters"], row["trainable_parameters"]) for row in tied}) > 1:
        sizes = [(row["flops"], row["total_parameters"]) for row in tied]
        cheapest = min(tied, key=lambda row: (row["flops"], row["total_parameters"], row["rank"]))
        least = min(tied, key=lambda row: (row["trainable_parameters"], row is not cheapest, row["rank"]))
        fewest = [row["trainable_parameters"] for row in tied]
        other = (
            ""
            if least is cheapest
            else f"; fewest trainable parameters: {named(least['candidate'], fewest.count(min(fewest)))} "
            f"({least['trainable_parameters']:,})"
        )
        lines.append(
            f"{CHEAPEST_BY_SIZE}: {named(cheapest['candidate'], sizes.count(min(sizes)))} ("
            f"{cheapest['flops'] / 1e6:,.1f} MFLOPs a picture, {cheapest['total_parameters']:,} parameters){other}."
        )
    chosen = [row for row in ranking.rows if row.get("val_rank") == 1]
    if len(ranking.rows) > 1 and chosen:
        row = chosen[0]
        lines.append(
            f"Chosen on validation: {row['candidate']} (validation {score_text(row['val_primary'])}, test "
            f"{score_text(row[f'test_{ranking.primary}'])}), rank {row['rank_low']}-{row['rank_high']} on the test."
        )
    return lines


def _warnings(ranking: Ranking) -> list[str]:
    """Where the method is at its limits."""
    outcomes = ranking.evidence.outcomes
    classes = ranking.candidates[0].records[0].classes
    absent = sorted(set(range(outcomes.class_count)) - set(outcomes.present_classes.tolist()))
    lines = list(cautions(outcomes, ranking.primary))
    if absent:
        lines.append(f"No test image of {', '.join(classes[label] for label in absent)}: these count in no metric.")
    return lines
