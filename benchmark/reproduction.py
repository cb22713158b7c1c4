"""Reproduction: a run's command given again, and what its result is beside the first one."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmark.board import leaderboard
from benchmark.errors import ConfigurationError
from benchmark.predictions import Predictions
from benchmark.records import RunRecord
from benchmark.spec import RunSpec

SWEEP = "again"
"""Name of the sweep that the run is repeated in."""
_OWN_KEYS = ("paths.", "tracking", "sweep.", "launcher.", "report.", "machine.threads", "machine.save_model")
_FACTS = ("commit", "diff", "python", "os", "cpu", "gpu", "threads", "versions")


class Reproduced(NamedTuple):
    """The two results side by side."""

    identical: bool
    """Whether every probability is the same number."""
    same_classes: int
    """Test pictures that get the same class."""
    pictures: int
    largest: float
    """The largest difference between two probabilities."""
    before: float
    after: float
    """The primary metric."""
    low: float
    high: float
    """The 95 % interval of the first run's primary metric."""
    changed: list[str]
    """What of code, libraries and machine is another than it was."""

    @property
    def inside(self) -> bool:
        """Whether the second score lies in the interval of the first."""
        return self.identical or self.low <= self.after <= self.high


def words(record: RunRecord, results: Path) -> list[str]:
    """The words after `python -m benchmark` that run the same spec in another results folder.

    Raises:
        ConfigurationError: the run has no result, or its record holds no command of this program.
    """
    if not isinstance(record.spec, RunSpec):
        raise ConfigurationError(
            f"found the baseline {record.run_id}; expected a run that trains a network: missing baselines are computed "
            f"with every sweep, so delete this one's folder and give {record.command}"
        )
    if not record.finished:
        raise ConfigurationError(
            f"found the run {record.run_id} with the status {record.status}; expected a finished one: its command "
            f"runs it again: {record.command}"
        )
    given = shlex.split(record.command)
    if given[:3] != ["python", "-m", "benchmark"]:
        raise ConfigurationError(
            f"found the command {record.command!r} in the record; expected python -m benchmark with its words"
        )
    kept = [word for word in given[3:] if word != "-m" and not word.lstrip("+~").startswith(_OWN_KEYS)]
    threads = record.environment.get("threads")
    same = [f"machine.threads={threads}"] if isinstance(threads, int) else []
    here = [f"paths.results={results}", f"sweep.name={SWEEP}", "tracking=none", "launcher.workers=1"]
    return [*kept, f"sweep.primary={record.primary}", *here, *same, "report.level=none"]


def compare(first: tuple[RunRecord, Predictions], second: tuple[RunRecord, Predictions]) -> Reproduced:
    """How the second result differs from the first; both are of the same run id, so of the same pictures."""
    (before, one), (after, other) = first, second
    row = leaderboard.build([before], lambda _: one, before.primary).table.iloc[0]
    return Reproduced(
        identical=np.array_equal(one.probabilities, other.probabilities) and np.array_equal(one.images, other.images),
        same_classes=int((one.probabilities.argmax(axis=1) == other.probabilities.argmax(axis=1)).sum()),
        pictures=len(one.truth),
        largest=float(np.abs(one.probabilities - other.probabilities).max(initial=0.0)),
        before=before.test[before.primary],
        after=after.test[before.primary],
        low=float(row[f"test_{before.primary}_low"]),
        high=float(row[f"test_{before.primary}_high"]),
        changed=_changed(before.environment, after.environment),
    )


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The facts that differ, as `python 3.11.7 -> 3.12.1`."""
    flat = [
        {**{key: facts.get(key) for key in _FACTS if key != "versions"}, **facts.get("versions", {})}
        for facts in (before, after)
    ]
    keys = sorted(flat[0].keys() | flat[1].keys())
    return [f"{key} {flat[0].get(key)} -> {flat[1].get(key)}" for key in keys if flat[0].get(key) != flat[1].get(key)]
