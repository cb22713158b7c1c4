"""runs.csv: every single run with its specification, its metrics, its cost and its failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark.board.columns import cell, csv_text
from benchmark.records import RunRecord
from benchmark.spec import flatten

RUN_COLUMNS = ("run_id", "candidate", "sweep", "status", "seed", "fold", "started")


def runs_csv(records: Sequence[RunRecord]) -> str:
    """runs.csv: one line a run with every key of its spec (`spec.*`), its metrics, its cost and its failure."""
    lines = [_run(record) for record in sorted(records, key=lambda one: (one.candidate, one.seed, one.run_id))]
    keys = list(RUN_COLUMNS)
    for prefix in ("spec.", "test_", "val_", "parameters_", "cost_"):
        keys += list(dict.fromkeys(key for line in lines for key in line if key.startswith(prefix)))
    keys += ["commit", "diff", "python", "failure_kind", "failure_message", "command"]
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
        **{key: _text(record.environment.get(key)) for key in ("commit", "diff", "python")},
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
        spent = flatten(record.cost.model_dump())
        line |= {f"cost_{key.replace('.', '_')}": _number(value) for key, value in spent.items() if value is not None}
    return line


def _number(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
