"""Job: a RunSpec together with the paths and limits of the machine that shall run it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from benchmark.records import RunRecord
from benchmark.spec import RunSpec
from datasets.spec import DatasetLocation


class Setting(BaseModel):
    """A frozen machine setting; none of them enters a run's identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sweep(Setting):
    """Where a board is collected and what it ranks by."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    primary: str


class Paths(Setting):
    """Absolute folders for what lasts (results) and what can be made again (cache)."""

    results: Path
    cache: Path


class Machine(Setting):
    """How much of this machine a run may use."""

    threads: int = Field(ge=1)
    workers: int = Field(ge=1)
    worker_memory_gb: float = Field(gt=0)
    cache_limit_gb: float = Field(gt=0)
    save_model: bool


class Tracking(Setting):
    """The MLflow server, or a database in the results folder."""

    enabled: bool
    uri: str | None


class Job(Setting):
    """One run to be done here."""

    kind: Literal["job"] = "job"
    spec: RunSpec
    location: DatasetLocation
    weights_path: Path | None
    sweep: Sweep
    paths: Paths
    machine: Machine
    tracking: Tracking
    plugins: tuple[str, ...]
    overrides: tuple[str, ...]
    """The command-line words that gave this run."""

    @property
    def directory(self) -> Path:
        """The sweep's folder."""
        return self.paths.results / self.sweep.name


class Order(Setting):
    """What a worker is asked to do: one planned run on the pictures of one manifest."""

    job: Job
    planned: RunRecord
    manifest: Path


class Settings(NamedTuple):
    """What holds for a whole worker process; other settings need another process."""

    threads: int
    deterministic: bool
    mixed_precision: str
    plugins: tuple[str, ...]

    @classmethod
    def of(cls, job: Job) -> Settings:
        """The settings that this job needs."""
        training = job.spec.training
        return cls(job.machine.threads, training.deterministic, training.mixed_precision, job.plugins)
