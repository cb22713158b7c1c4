"""RunRecord: what is known about one run, on disk as record.json and in MLflow alike."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from benchmark.credentials import without_credentials
from benchmark.spec import RunSpec
from datasets.spec import PlainName

Status = Literal["pending", "running", "ok", "diverged", "failed", "oom", "timeout", "crashed", "interrupted"]


class Fact(BaseModel):
    """A frozen part of a record that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameters(Fact):
    """The size of a model."""

    total: int
    trainable: int
    features: int
    """Length of the vector that enters the head."""
    flops: int | None
    """Floating-point operations for one picture, a multiply-add counted as two; null when a layer has no known cost."""


QUIET = 0.1
"""The share of the processors up to which other processes do not disturb the measuring of a latency."""


class Latency(Fact):
    """Milliseconds from decoded pictures to probabilities, after warming up, medians and 95th percentiles."""

    batch_1_p50: float
    batch_1_p95: float
    batch_32_p50: float
    """Of a whole batch of 32 pictures, not of each."""
    batch_32_p95: float
    others: float | None = None
    """The share of the processors, 0..1, that other processes used meanwhile; null where nobody looked."""


class Cost(Fact):
    """What a run took. Seconds of wall clock; what a stack of runs did together is divided evenly."""

    epochs: int
    best_epoch: int
    """The epoch whose weights were kept, counted from 1."""
    seconds_pixels: float
    """Reading pictures, or opening the cache of them."""
    seconds_features: float
    """Passing pictures through the frozen part of the backbone once."""
    seconds_train: float
    seconds_predict: float
    seconds_input: float
    """The part of `seconds_train` in which steps waited for pictures."""
    seconds_total: float
    path: Literal["whole", "cached", "stacked"]
    """`whole`: every step passes through the whole network; `cached`: through what learns; `stacked`: with others."""
    stacked: int = Field(ge=1)
    """Runs that trained in one compiled program; 1 = alone."""
    batch_size_effective: int = Field(ge=1)
    """`training.batch_size`, or less when that did not fit into memory."""
    latency: Latency | None = None
    peak_memory_mb: float
    """Highest resident memory of the worker process during the run, in 10^6 bytes."""


class Failure(Fact):
    """Why a run has no result."""

    kind: str
    """Class of the error, or the signal that ended the process."""
    message: str
    """One sentence: found, expected, the way out."""

    @property
    def told(self) -> str:
        """`ArithmeticError: the flux capacitor is empty`; the message alone where the kind repeats a status."""
        return ": ".join(part for part in (self.kind, self.message) if part and part not in get_args(Status))


class Baseline(Fact):
    """What stands in place of a spec for a reference row that trains nothing."""

    baseline: Literal["majority", "nearest_neighbour"]
    dataset: PlainName
    """The data set's name."""
    image_size: int
    """Pixels a side of the pictures it looks at; 0 when it looks at none."""
    fold: int | None
    """The fold whose pictures it is tested on; null without k-fold."""


class RunRecord(Fact):
    """One run: its spec, its state and everything measured about it."""

    schema_version: Literal[1] = 1
    run_id: str
    candidate: str
    sweep: str
    spec: RunSpec | Baseline
    fingerprint: str
    """The manifest's: which pictures, which labels, which split."""
    classes: tuple[str, ...]
    status: Status
    failure: Failure | None = None
    primary: str
    """The metric that the leaderboard ranks by."""
    test: dict[str, float] = Field(default_factory=dict)
    """Metrics on the test split, predicted once with the best epoch's weights."""
    val: dict[str, float] = Field(default_factory=dict)
    """Metrics on the validation split, which chose the epoch."""
    class_weights: dict[str, float] = Field(default_factory=dict)
    """Weight of each class in the training loss; mean 1 over the training pictures."""
    parameters: Parameters | None = None
    cost: Cost | None = None
    environment: dict[str, Any] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a reader of the result should know."""
    command: str
    """The shell command that runs it again; an address in it has lost its password."""
    started: str = ""
    """UTC, ISO 8601."""

    @field_validator("command")
    @classmethod
    def _holds_no_password(cls, value: str) -> str:
        return without_credentials(value)

    @property
    def seed(self) -> int:
        """The run's seed; 0 for a baseline, which has none."""
        return self.spec.seed if isinstance(self.spec, RunSpec) else 0

    @property
    def finished(self) -> bool:
        """Whether there is a result to rank."""
        return self.status == "ok"

    def again(self, results: str = "results") -> str:
        """The shell command that computes the run again: a finished one beside its result, another one in its place.

        `command` leaves a finished run as it is; `results` is the folder that holds the sweep's.
        """
        if self.finished and isinstance(self.spec, RunSpec):
            return shlex.join(["bench", "reproduce", f"{results}/{self.sweep}/runs/{self.run_id}"])
        return self.command


def software(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What of a record's environment says which code computed it: commit, change of it, Python and packages."""
    return {key: environment.get(key) for key in ("commit", "diff", "python", "versions")}
