"""Facts about a sweep: its pictures, what was spent, what went wrong, on which machines with which code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.jobs import WORKER_LOG
from benchmark.records import RunRecord
from benchmark.report.page import shown
from datasets.audit_summary import reason_kinds
from datasets.manifest import Manifest
from datasets.spec import SPLITS

CLASSES = 200
FAILURES = 200

_ENVIRONMENT = ("commit", "dirty", "python", "os", "cpu", "cores", "gpu", "devices", "threads", "memory_gb", "host")


class ClassCounts(NamedTuple):
    """Pictures of one class in each split, and in all."""

    name: str
    counts: tuple[int, ...]
    total: int


class Data(NamedTuple):
    """What the manifest says."""

    splits: tuple[str, ...]
    pictures: int
    totals: tuple[int, ...]
    """Pictures in each split."""
    classes: list[ClassCounts]
    more_classes: int
    rejected: list[tuple[str, int]]
    """Kinds of reasons and files left out for each."""
    left_out: int
    grouped: int
    """Pictures that share a group with another one: copies, or of one event."""
    groups: int
    notes: tuple[str, ...]


class Failed(NamedTuple):
    """A run without a result."""

    run_id: str
    status: str
    reason: str
    command: str
    log: str
    """Path, inside the sweep's folder, of what it printed; of a worker that died, what that printed; or empty."""


class Spent(NamedTuple):
    """Seconds of all runs together."""

    total: float
    parts: list[tuple[str, float]]
    """The last of them is the rest, which no other part counts."""
    runs: int
    peak_memory_mb: float


def data_facts(manifest: Manifest) -> Data:
    """The pictures, their classes and split, and the files left out."""
    counts = manifest.counts
    rows = [
        ClassCounts(str(name), tuple(int(row[split]) for split in SPLITS), int(row.sum()))
        for name, row in counts.head(CLASSES).iterrows()
    ]
    sizes = manifest.table["group"].value_counts()
    shared = sizes[sizes > 1]
    rejected: list[tuple[str, int]] = []
    if len(manifest.rejected):
        kinds = reason_kinds(manifest.rejected).value_counts()
        rejected = [(str(kind), int(number)) for kind, number in kinds.items()]
    return Data(
        tuple(SPLITS),
        len(manifest.table),
        tuple(int(counts[split].sum()) for split in SPLITS),
        rows,
        len(counts) - len(rows),
        rejected,
        len(manifest.rejected),
        int(shared.sum()),
        len(shared),
        manifest.notes,
    )


def failed_runs(directory: Path, records: Iterable[RunRecord], broken: Iterable[tuple[str, str]]) -> list[Failed]:
    """The runs that ended without a result, and those whose files (`broken`: run id, why) are not what was written."""
    found = [
        Failed(record.run_id, record.status, _reason(record), record.command, _log(directory, record.run_id))
        for record in records
        if record.status not in ("ok", "pending", "running")
    ]
    return found + [Failed(run_id, "broken", reason, "", _log(directory, run_id)) for run_id, reason in broken]


def states(records: Iterable[RunRecord]) -> list[tuple[str, int]]:
    """How many runs are in each state, the most frequent first."""
    return Counter(str(record.status) for record in records).most_common()


def spent(records: Sequence[RunRecord]) -> Spent:
    """What all runs took."""
    costs = [record.cost for record in records if record.cost]
    parts = [
        (name, sum(getattr(cost, f"seconds_{name}") for cost in costs))
        for name in ("pixels", "features", "train", "predict")
    ]
    total = sum(cost.seconds_total for cost in costs)
    parts.append(("rest", max(total - sum(seconds for _, seconds in parts), 0.0)))
    peak = max((cost.peak_memory_mb for cost in costs), default=0.0)
    return Spent(total, parts, len(costs), peak)


def environments(records: Iterable[RunRecord]) -> list[tuple[str, str]]:
    """Each fact about code and machines with its value, or its several values."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        versions: Mapping[str, Any] = record.environment.get("versions") or {}
        facts = {key: record.environment.get(key) for key in _ENVIRONMENT}
        for key, value in {**facts, **versions}.items():
            if value is not None and value != "":
                found.setdefault(key, {})[_text(value)] = None
    return [(key, ", ".join(values)) for key, values in found.items()]


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(shown(one) for one in value)
    return shown(value, 120)


def _log(directory: Path, run_id: str) -> str:
    """The run's log, or the workers' where it holds nothing, as when a worker is killed."""
    names = (f"runs/{run_id}/log.txt", WORKER_LOG)
    return next((name for name in names if (directory / name).is_file() and (directory / name).stat().st_size), "")


def _reason(record: RunRecord) -> str:
    if record.failure is None:
        return "unknown; see its log"
    return record.failure.told
