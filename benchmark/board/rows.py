"""Rows of the leaderboard: one dictionary per candidate, from its runs and the statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmark.board.calibration import calibration_intervals
from benchmark.board.candidates import Candidate
from benchmark.board.columns import SCHEMA_VERSION
from benchmark.board.evidence import Evidence
from benchmark.board.pareto import front
from benchmark.board.variants import variants
from benchmark.metrics import find
from benchmark.records import Baseline
from benchmark.spec import AXES, RunSpec
from benchmark.statistics import METRICS, Comparison, estimate


def identity(candidate: Candidate) -> dict[str, Any]:
    """What a row says of a candidate before any result: names, sizes, how much of it is done."""
    spec = candidate.spec
    row: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "status": candidate.status,
        **candidate.axes,
        "n_seeds": len(candidate.complete),
        "n_planned": len(candidate.planned_seeds),
        "n_folds": len(candidate.folds),
        "n_failed": len(candidate.failures),
        "primary": candidate.records[0].primary,
        "fingerprint": candidate.records[0].fingerprint,
        "candidate": candidate.name,
    }
    if isinstance(spec, Baseline):
        row["image_size"] = spec.image_size or None
    else:
        row |= {"image_size": spec.dataset.image_size, "weights": spec.backbone.weights, "training": training(spec)}
    return row | _sizes(candidate)


def measured(candidates: Sequence[Candidate], evidence: Evidence) -> list[dict[str, Any]]:
    """For each candidate the test metrics with intervals, its worst class and the metric on validation."""
    rows: list[dict[str, Any]] = [{} for _ in candidates]
    for metric in METRICS:
        estimates = estimate(evidence.outcomes, metric)
        for row, score, low, high, spread in zip(
            rows, estimates.score, estimates.low, estimates.high, estimates.seed_sd, strict=True
        ):
            row |= _cells(metric, score, low, high, spread)
        if metric == candidates[0].records[0].primary:
            for row, spread in zip(rows, estimates.image_sd, strict=True):
                row["image_sd"] = float(spread)
    families = [candidate.family for candidate in candidates]
    for row, error, interval in zip(
        rows, evidence.calibration, calibration_intervals(evidence.calibration, families), strict=True
    ):
        spread = float(error.scores.std(ddof=1)) if error.scores.size > 1 else float("nan")
        row |= _cells("ece", interval.score, interval.low, interval.high, spread)
    for row, recall, candidate in zip(rows, evidence.recall, candidates, strict=True):
        worst = int(np.nanargmin(recall))
        row |= {"worst_class": candidate.records[0].classes[worst], "worst_class_recall": float(recall[worst])}
        row |= _validation(candidate, row[f"test_{candidate.records[0].primary}"])
    return rows


def compared(rows: Sequence[dict[str, Any]], comparison: Comparison) -> None:
    """Add to the rows of the compared candidates what the comparison says of each."""
    for index, row in enumerate(rows):
        row |= {
            "rank_low": int(comparison.rank_low[index]),
            "rank_high": int(comparison.rank_high[index]),
            "tied_with_best": bool(comparison.tied_with_best[index]),
            "gap_to_best_low": float(comparison.gap_low[index]),
            "gap_to_best_high": float(comparison.gap_high[index]),
        }


def ordered(rows: Sequence[dict[str, Any]], primary: str) -> list[dict[str, Any]]:
    """The compared rows by (rank_low, rank_high, best score, candidate), with their position as `rank`.

    Each also learns its rank on validation, where equal values share the better rank, and whether it is on the front
    of the score against trainable parameters and floating-point operations.
    """
    sign = 1.0 if find(primary).higher_is_better else -1.0
    score = {row["candidate"]: sign * row[f"test_{primary}"] for row in rows}
    result = sorted(
        rows, key=lambda row: (row["rank_low"], row["rank_high"], -score[row["candidate"]], row["candidate"])
    )
    chosen = [sign * row["val_primary"] for row in result]
    for position, row in enumerate(result):
        row["rank"] = position + 1
        if not np.isnan(chosen[position]):
            row["val_rank"] = 1 + sum(other > chosen[position] for other in chosen)
    sized = [row for row in result if row.get("flops") is not None]
    if sized:
        costs = [(row["trainable_parameters"], row["flops"]) for row in sized]
        for row, on_front in zip(sized, front([score[row["candidate"]] for row in sized], costs), strict=True):
            row["on_front"] = bool(on_front)
    return result


def tell_apart(rows: Sequence[dict[str, Any]], candidates: Sequence[Candidate]) -> None:
    """Add to every row what differs from the rows that have the same names."""
    by_name = {row["candidate"]: row for row in rows}
    shown = (*AXES, "image_size", "weights", "training")
    told = variants({one: [by_name[one.name].get(name) for name in shown] for one in candidates})
    for row in rows:
        row["variant"] = told[row["candidate"]]


def training(spec: RunSpec) -> str:
    """What is outside the named axes, in one line: `adam 0.001 constant, batch 64, 15 epochs on val_loss`."""
    one = spec.training
    words = [f"{one.optimizer} {one.learning_rate:g} {one.schedule.rule}", f"batch {one.batch_size}"]
    words.append(f"{one.epochs} {'epoch' if one.epochs == 1 else 'epochs'} on {one.monitor}")
    if one.patience is not None:
        words.append(f"patience {one.patience}")
    if one.mixed_precision != "none":
        words.append(one.mixed_precision)
    if one.label_smoothing:
        words.append(f"smoothing {one.label_smoothing:g}")
    if spec.backbone.pooling not in ("avg", "flatten"):
        words.append(f"{spec.backbone.pooling} pooling")
    return ", ".join(words)


def _cells(metric: str, score: float, low: float, high: float, spread: float) -> dict[str, float]:
    """The four cells of one metric."""
    name = f"test_{metric}"
    return {
        name: float(score),
        f"{name}_low": float(low),
        f"{name}_high": float(high),
        f"{name}_seed_sd": float(spread),
    }


def _validation(candidate: Candidate, test: float) -> dict[str, float]:
    """The primary metric on validation, mean over folds and seeds, and how far it is from the test's."""
    primary = candidate.records[0].primary
    values = [record.val.get(primary, float("nan")) for runs in candidate.complete for record in runs]
    value = float(np.mean(values))
    return {"val_primary": value, "val_minus_test": value - test}


def _sizes(candidate: Candidate) -> dict[str, int | None]:
    """Parameters and floating-point operations, of the first run that knows them."""
    for record in candidate.records:
        if record.parameters:
            sizes = record.parameters
            return {"total_parameters": sizes.total, "trainable_parameters": sizes.trainable, "flops": sizes.flops}
    return {}
