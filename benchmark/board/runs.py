"""runs.csv and costs.csv: every single run, and what each candidate took on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmark.board.columns import cell, csv_text
from benchmark.records import Cost, RunRecord
from benchmark.spec import flatten

_SECONDS = ("pixels", "features", "train", "predict", "total")
_RUN_COSTS = tuple(Cost.model_fields)
COST_COLUMNS = (
    "candidate",
    "n_runs",
    *(f"seconds_{part}_mean" for part in _SECONDS),
    "peak_memory_mb_max",
    "epochs",
    "best_epochs",
    "cores",
    "cpu",
    "gpu",
)
RUN_COLUMNS = ("run_id", "candidate", "sweep", "status", "seed", "fold", "started")


def costs_csv(records: Sequence[RunRecord]) -> str:
    """costs.csv: one line a candidate with seconds, memory and machine; empty cells for what is unknown."""
    groups: dict[str, list[RunRecord]] = {}
    for record in sorted(records, key=lambda one: (one.candidate, one.seed, one.run_id)):
        groups.setdefault(record.candidate, []).append(record)
    lines = [list(COST_COLUMNS)]
    for name, runs in groups.items():
        costs = [run.cost for run in runs if run.cost]
        lines.append(
            [name, str(len(costs)), *_cost_cells(costs), *(_machine(runs, key) for key in ("cores", "cpu", "gpu"))]
        )
    return csv_text(lines)


def runs_csv(records: Sequence[RunRecord]) -> str:
    """runs.csv: one line a run with every key of its spec (`spec.*`), its metrics, its cost and its failure."""
    lines = [_run(record) for record in sorted(records, key=lambda one: (one.candidate, one.seed, one.run_id))]
    keys = list(RUN_COLUMNS)
    for prefix in ("spec.", "test_", "val_", "parameters_", "cost_"):
        keys += list(dict.fromkeys(key for line in lines for key in line if key.startswith(prefix)))
    keys += ["failure_kind", "failure_message", "command"]
    return csv_text([keys, *([line.get(key, "") for key in keys] for line in lines)])


def _run(record: RunRecord) -> dict[str, str]:
    spec = flatten(record.spec.model_dump(mode="json"))
    line = {
        "run_id": record.run_id,
        "candidate": record.candidate,
        "sweep": record.sweep,
        "status": record.status,
        "seed": str(record.seed),
        "fold": _text(spec.get("dataset.fold")),
        "started": record.started,
        "failure_kind": record.failure.kind if record.failure else "",
        "failure_message": record.failure.message if record.failure else "",
        "command": record.command,
    }
    line |= {f"spec.{key}": _text(value) for key, value in spec.items()}
    for prefix, values in (("test_", record.test), ("val_", record.val)):
        line |= {f"{prefix}{name}": cell(value, "decimal") for name, value in values.items()}
    if record.parameters:
        line |= {f"parameters_{key}": _text(value) for key, value in record.parameters.model_dump().items()}
    if record.cost:
        line |= {f"cost_{key}": _number(value) for key, value in record.cost.model_dump().items()}
    return line


def _cost_cells(costs: Sequence[Cost]) -> list[str]:
    if not costs:
        return [""] * (len(_SECONDS) + 3)
    means = [_number(float(np.mean([getattr(cost, f"seconds_{part}") for cost in costs]))) for part in _SECONDS]
    peak = _number(max(cost.peak_memory_mb for cost in costs))
    epochs, best = (_listed(costs, read) for read in (lambda cost: cost.epochs, lambda cost: cost.best_epoch))
    return [*means, peak, epochs, best]


def _listed(costs: Sequence[Cost], read: Callable[[Cost], int]) -> str:
    """One number for each run, in the order of the seeds: `15 12 15`."""
    return " ".join(str(read(cost)) for cost in costs)


def _machine(runs: Sequence[RunRecord], key: str) -> str:
    """What the environments of the runs say, every different answer once."""
    return " | ".join(dict.fromkeys(str(run.environment[key]) for run in runs if run.environment.get(key)))


def _number(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
