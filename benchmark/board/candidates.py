"""Candidates: the records of a sweep, gathered by what differs only in seed and fold, and checked to be comparable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from benchmark.records import Baseline, RunRecord
from benchmark.spec import AXES, RunSpec, flatten

Family = Literal["fine-tuned", "frozen", "scratch", "baseline"]


class NotComparable(ValueError):
    """Results that answer different questions and must not stand on one board."""

    exit_code = 5


class AmbiguousCandidate(ValueError):
    """One name for two things: two specs under one candidate, or two records of one run."""

    exit_code = 2


@dataclass(frozen=True, eq=False)
class Candidate:
    """What is ranked: every run that differs only in seed and fold, with what was planned for it."""

    name: str
    records: tuple[RunRecord, ...]
    """Every planned run, ordered by seed and fold."""
    folds: tuple[int | None, ...]
    """The folds that make one seed complete; `(None,)` without k-fold."""

    @property
    def spec(self) -> RunSpec | Baseline:
        """The spec of the first run; the others differ in seed and fold."""
        return self.records[0].spec

    @property
    def is_baseline(self) -> bool:
        """Whether this is a reference row that trains nothing."""
        return isinstance(self.spec, Baseline)

    @cached_property
    def planned_seeds(self) -> tuple[int, ...]:
        """The seeds of all records, pending ones too."""
        return tuple(sorted({record.seed for record in self.records}))

    @cached_property
    def complete(self) -> tuple[tuple[RunRecord, ...], ...]:
        """For each seed with a result in every fold: its records in the order of the folds."""
        found = {(record.seed, fold_of(record)): record for record in self.records if record.finished}
        seeds = [[found.get((seed, fold)) for fold in self.folds] for seed in self.planned_seeds]
        return tuple(
            tuple(record for record in runs if record) for runs in seeds if all(record is not None for record in runs)
        )

    @property
    def is_complete(self) -> bool:
        """Whether every planned seed has a result in every fold."""
        return len(self.complete) == len(self.planned_seeds)

    @property
    def failures(self) -> tuple[RunRecord, ...]:
        """The runs that ended without a result."""
        return tuple(record for record in self.records if record.status not in ("ok", "pending", "running"))

    @property
    def status(self) -> str:
        """`ok`, `baseline`, `incomplete`, the first failure's status, `running` or `pending`."""
        if self.is_complete:
            return "baseline" if self.is_baseline else "ok"
        if any(record.finished for record in self.records):
            return "incomplete"
        if self.failures:
            return self.failures[0].status
        return "running" if any(record.status == "running" for record in self.records) else "pending"

    @property
    def family(self) -> Family:
        """Candidates whose training noise is alike: fine-tuned, frozen, from scratch; or a baseline."""
        if isinstance(self.spec, Baseline):
            return "baseline"
        if self.spec.finetune.mode == "frozen":
            return "frozen"
        return "scratch" if self.spec.backbone.weights == "none" else "fine-tuned"

    @property
    def axes(self) -> dict[str, str]:
        """The names on the board: backbone, head, finetune, weighting, augmentation; empty where there is none."""
        if isinstance(self.spec, Baseline):
            return {axis: self.spec.baseline if axis == "backbone" else "" for axis in AXES}
        names = {axis: str(getattr(self.spec, axis).name) for axis in AXES}
        return names | {"backbone": self.spec.backbone.application or self.spec.backbone.name}


def gather(records: Sequence[RunRecord], primary: str) -> tuple[Candidate, ...]:
    """The candidates of these records, ordered by name.

    Raises:
        NotComparable: the records differ in data, classes or primary metric.
        AmbiguousCandidate: a candidate has two specs, or a run two records.
    """
    _same("data fingerprint", ((record.fingerprint, record) for record in records))
    _same("classes", ((", ".join(record.classes), record) for record in records))
    _same("primary metric", ((record.primary, record) for record in records))
    if records and records[0].primary != primary:
        raise NotComparable(
            f"found records ranked by {records[0].primary}; expected {primary}: the primary metric is named before "
            "the sweep and cannot change after it"
        )
    folds = tuple(sorted({fold_of(record) for record in records}, key=str))
    by_name: dict[str, list[RunRecord]] = {}
    for record in records:
        by_name.setdefault(record.candidate, []).append(record)
    return tuple(_candidate(name, by_name[name], folds) for name in sorted(by_name))


def fold_of(record: RunRecord) -> int | None:
    """The fold whose pictures the run was tested on; None without k-fold."""
    if isinstance(record.spec, Baseline):
        return record.spec.fold
    return record.spec.dataset.fold if record.spec.dataset.split == "kfold" else None


def recipe(spec: RunSpec | Baseline) -> dict[str, Any]:
    """The flat content of a spec without what differs between the runs of one candidate: seed and fold."""
    content = flatten(spec.model_dump(mode="json"))
    return {key: value for key, value in content.items() if key not in ("seed", "fold", "dataset.fold")}


def _candidate(name: str, records: list[RunRecord], folds: tuple[int | None, ...]) -> Candidate:
    ordered = sorted(records, key=lambda record: (record.seed, str(fold_of(record)), record.run_id))
    first = ordered[0]
    seen: dict[tuple[int, int | None], RunRecord] = {}
    content = recipe(first.spec)
    for record in ordered:
        other = recipe(record.spec)
        if other != content:
            keys = sorted(key for key in content.keys() | other.keys() if content.get(key) != other.get(key))
            raise AmbiguousCandidate(
                f"found two specs under the candidate {name}, in {first.run_id} and {record.run_id}, that differ in "
                f"{', '.join(keys[:5])}; expected one: run both again, or move one of them to another folder"
            )
        twin = seen.setdefault((record.seed, fold_of(record)), record)
        if twin is not record:
            raise AmbiguousCandidate(
                f"found two records of seed {record.seed} of the candidate {name}, {twin.run_id} and {record.run_id}; "
                "expected one: remove the folder of one of them"
            )
    return Candidate(name, tuple(ordered), folds)


def _same(what: str, values: Iterable[tuple[str, RunRecord]]) -> None:
    first: dict[str, RunRecord] = {}
    for value, record in values:
        first.setdefault(value, record)
    if len(first) > 1:
        (left, one), (right, other) = list(first.items())[:2]
        raise NotComparable(
            f"found {len(first)} different values of the {what}: {left} in {one.run_id} and {right} in "
            f"{other.run_id}; expected one: a board compares results on the same images by the same metric, so give "
            "each its own sweep.name"
        )
