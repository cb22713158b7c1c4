"""The leaderboard: candidates ranked by one metric, with the places they may hold instead of one place each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark.board import rows, sentences
from benchmark.board.calibration import calibration_error
from benchmark.board.candidates import Candidate, gather
from benchmark.board.columns import KINDS, typed
from benchmark.board.costs import costs_csv
from benchmark.board.evidence import Evidence, Load, collect
from benchmark.board.markdown import to_markdown
from benchmark.board.origins import several_origins
from benchmark.board.runs import runs_csv
from benchmark.board.table import FailedRun, Leaderboard, to_csv
from benchmark.records import RunRecord
from benchmark.statistics import METRICS, Metric, compare

__all__ = ["CannotRank", "Leaderboard", "build", "costs_csv", "require_rankable", "runs_csv", "to_csv", "to_markdown"]


class CannotRank(ValueError):
    """A metric that the board has no method to compare candidates by."""

    exit_code = 1


def build(records: Sequence[RunRecord], predictions: Load, primary: str) -> Leaderboard:
    """The leaderboard of these records, pending and failed ones included.

    Complete candidates are compared; baselines and all others stand below without a rank. The predictions of one
    candidate are held at a time.

    Args:
        records: runs of one sweep, in any order.
        predictions: from a finished run to what it said about the test split.
        primary: the metric to rank by, one of `benchmark.statistics.METRICS`.

    Raises:
        CannotRank: another metric.
        NotComparable: the records differ in data, classes or primary metric.
        AmbiguousCandidate: a candidate has two specs, or a run two records.
        MissingImages: a run's test images are not those of the others.
    """
    metric = require_rankable(primary)
    candidates = gather(records, primary)
    shown = [candidate for candidate in candidates if candidate.complete]
    ranked = [candidate for candidate in shown if candidate.status == "ok"]
    others = [candidate for candidate in shown if candidate.status != "ok"]
    table: list[dict[str, Any]] = []
    lines: list[str] = []
    results: dict[str, dict[str, Any]] = {}
    if shown:
        evidence = collect([*ranked, *others], predictions, calibration_error)
        if ranked:
            best = evidence.of(range(len(ranked)))
            ranking = _ranking(ranked, best, metric)
            table += ranking.rows
            lines += sentences.header(ranking)
        if others:
            rest = evidence.of(range(len(ranked), len(shown)))
            found = rows.measured(others, rest)
            results = {candidate.name: row for candidate, row in zip(others, found, strict=True)}
        lines += sentences.against_baselines(table, list(results.values()), [one.name for one in others], metric)
    below = sorted((one for one in candidates if one.status != "ok"), key=lambda one: (not one.is_baseline, one.name))
    table += [rows.identity(candidate) | results.get(candidate.name, {}) for candidate in below]
    rows.tell_apart(table, candidates)
    if not ranked:
        lines.append("No candidate is complete: there is nothing to rank." if records else "No runs yet.")
    lines += [*sentences.unranked(candidates), *several_origins(records)]
    return Leaderboard(typed(table, KINDS), tuple(lines), _failures(candidates), primary)


def require_rankable(primary: str) -> Metric:
    """The metric of this name, if candidates can be compared by it.

    Raises:
        CannotRank: they cannot.
    """
    if primary not in METRICS:
        raise CannotRank(
            f"found the primary metric {primary!r}; expected one of {', '.join(METRICS)}, for which differences "
            "between candidates can be tested: set sweep.primary to one of them"
        )
    return primary


def _ranking(candidates: Sequence[Candidate], evidence: Evidence, primary: Metric) -> sentences.Ranking:
    """The comparison of complete candidates with their rows in the board's order."""
    comparison = compare(evidence.outcomes, primary, seed=sentences.SEED)
    found = rows.measured(candidates, evidence)
    whole = [rows.identity(candidate) | row for candidate, row in zip(candidates, found, strict=True)]
    rows.compared(whole, comparison)
    return sentences.Ranking(tuple(candidates), evidence, comparison, rows.ordered(whole, primary), primary)


def _failures(candidates: Sequence[Candidate]) -> tuple[FailedRun, ...]:
    """Every run that ended without a result, by candidate and seed."""
    return tuple(
        FailedRun(
            candidate=candidate.name,
            run_id=record.run_id,
            seed=record.seed,
            status=record.status,
            kind=record.failure.kind if record.failure else "",
            message=record.failure.message if record.failure else "",
            command=record.command,
        )
        for candidate in candidates
        for record in candidate.failures
    )
