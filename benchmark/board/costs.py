"""Costs: what each candidate took on this machine, and which rows are worth it; leaderboard.csv says none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.board.columns import Kind, cell, csv_text, typed
from benchmark.board.pareto import front
from benchmark.board.sentences import CHEAPEST_BY_SIZE, named
from benchmark.board.table import Leaderboard
from benchmark.metrics import find
from benchmark.records import QUIET, Latency, RunRecord
from benchmark.wording import amount, counted

_SECONDS = ("pixels", "features", "train", "input", "predict", "total")
_LATENCIES = tuple(name for name in Latency.model_fields if name != "others")
_KEPT = ("path", "stacked", "batch_size_effective")
_MACHINE = ("cores", "cpu", "gpu")
_DECIMALS = 3


class Price(NamedTuple):
    """One way to count what a row costs."""

    column: str
    """Of costs.csv."""
    words: str
    text: Callable[[float], str]
    """How an amount is written."""


PRICES = (
    Price("trainable_parameters", "trainable parameters", lambda value: f"{value:,.0f}"),
    Price("flops", "FLOPs", lambda value: f"{value / 1e6:,.1f} million a picture"),
    Price("latency_ms_batch_1_p50", "latency", lambda value: f"{amount(value)} ms for one picture"),
    Price("seconds_train_mean", "training time", lambda value: f"{amount(value)} s a run"),
)
"""The costs that the score is held against, each on its own; the first two are the same on every machine."""

COST_KINDS: Mapping[str, Kind] = {
    "candidate": "text",
    "n_runs": "integer",
    **dict.fromkeys((f"seconds_{part}_mean" for part in _SECONDS), "decimal"),
    **dict.fromkeys((f"latency_ms_{name}" for name in _LATENCIES), "decimal"),
    "latency_others_share": "decimal",
    "peak_memory_mb_max": "decimal",
    "trainable_parameters": "integer",
    "flops": "integer",
    **dict.fromkeys(("epochs", "best_epochs", *_KEPT, *_MACHINE), "text"),
    "tied_with_best": "truth",
    **dict.fromkeys((f"on_front_{price.column}" for price in PRICES), "truth"),
}
"""Columns of costs.csv. Seconds are means over the candidate's finished runs, milliseconds medians;
`latency_others_share` is what other processes used of the processors meanwhile, 0..1. `epochs` has a number for each
run in the order of the seeds; `path`, `gpu` and their like have every different value once. `on_front_X`: no ranked row
is at least as good and at least as cheap by X, and better in one of the two."""
COST_COLUMNS = tuple(COST_KINDS)


def costs(records: Sequence[RunRecord], board: Leaderboard | None = None) -> pd.DataFrame:
    """Columns COST_KINDS, one row a candidate; with its board also who is tied with the best and on which front."""
    groups: dict[str, list[RunRecord]] = {}
    for record in sorted(records, key=lambda one: (one.candidate, one.seed, one.run_id)):
        groups.setdefault(record.candidate, []).append(record)
    rows = {name: {"candidate": name} | _spent(runs) | _machines(runs) for name, runs in groups.items()}
    if board is not None:
        _judge(rows, board)
    return typed(list(rows.values()), COST_KINDS)


def costs_csv(records: Sequence[RunRecord], board: Leaderboard | None = None) -> str:
    """costs.csv of these records."""
    return to_csv(costs(records, board))


def to_csv(table: pd.DataFrame) -> str:
    """costs.csv: empty cells for what is unknown."""
    cells = [[_cell(value, kind) for value in table[name]] for name, kind in COST_KINDS.items()]
    return csv_text([list(COST_COLUMNS), *(list(row) for row in zip(*cells, strict=True))])


def cheapest(table: pd.DataFrame) -> list[str]:
    """One sentence that names the cheapest row tied with the best, by every cost that is known of all such rows."""
    tied = table[table["tied_with_best"].to_numpy("bool", na_value=False)]
    if len(tied) < 2:
        return []
    reasons: dict[str, list[str]] = {}
    for price in PRICES:
        values = tied[price.column].to_numpy("float64", na_value=np.nan)
        if not np.isnan(values).any() and np.ptp(values) > 0:
            best = int(values.argmin())
            text = f"{price.words} ({price.text(float(values[best]))})"
            name = named(str(tied["candidate"].iloc[best]), int((values == values[best]).sum()))
            reasons.setdefault(name, []).append(text)
    if not reasons:
        return []
    listed = "; ".join(f"{name} by {' and '.join(texts)}" for name, texts in reasons.items())
    return [f"Cheapest of the {len(tied)} rows tied with the best: {listed}."]


def with_prices(sentences: Sequence[str], table: pd.DataFrame) -> list[str]:
    """A board's sentences with the cheapest row by every cost, measured ones too, instead of that by size alone."""
    found = cheapest(table)
    kept = [one for one in sentences if not (found and one.startswith(CHEAPEST_BY_SIZE))]
    return kept + found + _disturbed(table)


def _disturbed(table: pd.DataFrame) -> list[str]:
    """A caution where latencies were measured beside other work."""
    shares = table["latency_others_share"].to_numpy("float64", na_value=0.0)
    if not (shares > QUIET).any():
        return []
    return [
        f"The latency of {counted(int((shares > QUIET).sum()), 'row')} was measured while other processes used up to "
        f"{shares.max():.0%} of the processors: it may be too high."
    ]


def _spent(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Seconds, milliseconds, memory and sizes of the finished runs; only their number where there is none."""
    spent = [run.cost for run in runs if run.cost]
    row: dict[str, Any] = {"n_runs": len(spent)}
    if not spent:
        return row
    row |= {f"seconds_{part}_mean": _mean([getattr(cost, f"seconds_{part}") for cost in spent]) for part in _SECONDS}
    measured = [cost.latency for cost in spent if cost.latency]
    if measured:
        row |= {f"latency_ms_{name}": float(np.median([getattr(one, name) for one in measured])) for name in _LATENCIES}
        row["latency_others_share"] = max((one.others for one in measured if one.others is not None), default=None)
    row["peak_memory_mb_max"] = max(cost.peak_memory_mb for cost in spent)
    sizes = next((run.parameters for run in runs if run.parameters), None)
    if sizes:
        row |= {"trainable_parameters": sizes.trainable, "flops": sizes.flops}
    row["epochs"] = " ".join(str(cost.epochs) for cost in spent)
    row["best_epochs"] = " ".join(str(cost.best_epoch) for cost in spent)
    return row | {name: _different(getattr(cost, name) for cost in spent) for name in _KEPT}


def _machines(runs: Sequence[RunRecord]) -> dict[str, str]:
    """What the environments of the runs say of the machine."""
    return {key: _different(run.environment.get(key) for run in runs) for key in _MACHINE}


def _judge(rows: Mapping[str, dict[str, Any]], board: Leaderboard) -> None:
    """Say which ranked rows are tied with the best, and which are on the front of the score against each cost."""
    ranked = board.ranked
    sign = 1.0 if find(board.primary).higher_is_better else -1.0
    scores = dict(zip(ranked["candidate"], sign * ranked[f"test_{board.primary}"], strict=True))
    for name, tied in zip(ranked["candidate"], ranked["tied_with_best"], strict=True):
        rows[name]["tied_with_best"] = bool(tied)
    for price in PRICES:
        known = [name for name in scores if rows[name].get(price.column) is not None]
        if known:
            on_front = front([scores[name] for name in known], [[rows[name][price.column]] for name in known])
            for name, on in zip(known, on_front, strict=True):
                rows[name][f"on_front_{price.column}"] = bool(on)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _different(values: Iterable[Any]) -> str:
    """Every different value once, in the order of the runs: `whole | cached`."""
    return " | ".join(dict.fromkeys(str(value) for value in values if value))


def _cell(value: Any, kind: Kind) -> str:
    """A cell of costs.csv: decimals to the microsecond for milliseconds and to the millisecond for seconds."""
    if kind == "decimal" and not pd.isna(value):
        return f"{value:.{_DECIMALS}f}"
    return cell(value, kind)
