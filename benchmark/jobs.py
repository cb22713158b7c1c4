"""Job: a RunSpec together with the paths and limits of the machine that shall run it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from benchmark.records import RunRecord
from benchmark.spec import RunSpec
from datasets.spec import DatasetLocation

MEASURING = "measuring.lock"
"""Beside the latencies in the cache."""
WORKER_LOG = "worker.log"
"""In the sweep's folder: what workers print between runs."""


class Setting(BaseModel):
    """A frozen machine setting; none of them enters a run's identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sweep(Setting):
    """Where a board is collected, what it ranks by, and what happens to runs that fail."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    primary: str
    rerun: Literal["missing", "failed", "all", "never"]
    """Which of the asked runs are done: without a result, only those tried in vain, all, or none."""
    stale: Literal["keep", "rerun"]
    """What happens to results of other code or library versions."""
    fail_on: Literal["none", "any", "all"] | float
    """The share of runs without a result from which on the exit code says so."""
    max_consecutive_failures: int | None = Field(ge=1)
    """The sweep stops after so many failures of one kind in a row; null = never."""
    timeout_minutes: float | None = Field(gt=0)
    """A run that takes longer, or a stack that comes no further for so long, is ended; null = never."""

    @field_validator("fail_on")
    @classmethod
    def _is_a_share(cls, value: str | float) -> str | float:
        if isinstance(value, float) and not 0 < value <= 1:
            raise ValueError("expected none, any, all or a share above 0 and up to 1")
        return value


class Paths(Setting):
    """Absolute folders for what lasts (results) and what can be made again (cache)."""

    results: Path
    cache: Path

    @property
    def latency(self) -> Path:
        """What is known of the speed of networks on this machine."""
        return self.cache / "latency"

    @property
    def measuring(self) -> Path:
        """Locked while a latency is measured."""
        return self.latency / MEASURING


class Machine(Setting):
    """How much of this machine a run may use."""

    threads: int = Field(ge=1)
    """Of every worker."""
    workers: int = Field(ge=1)
    worker_growth_gb: float = Field(gt=0)
    cache_limit_gb: float = Field(gt=0)
    save_model: bool
    measure_latency: bool


class Tracking(Setting):
    """The MLflow server, or a database in the results folder."""

    enabled: bool
    uri: str | None


class Ray(Setting):
    """The Ray cluster whose machines train."""

    address: str
    """`auto`: the cluster that this machine belongs to; `local`: one started for this sweep; else HOST:PORT."""
    gpus_per_worker: float | None = Field(ge=0)
    """null = one where the cluster has any."""
    shared_disk: bool | None
    """Whether all machines see the same files at the same paths; null = each is asked."""
    scratch: Path | None
    """Folder of the machines that do not; null = in their folder for temporary files."""

    @field_validator("address")
    @classmethod
    def _can_be_joined(cls, value: str) -> str:
        if value.startswith("ray://"):
            raise ValueError("expected auto, local or HOST:PORT: start the sweep on a machine of the cluster")
        host, _, port = value.rpartition(":")
        if value not in ("auto", "local") and not (host and port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError("expected auto, local or HOST:PORT")
        return value


class Launcher(Setting):
    """How runs are shared out among processes."""

    engine: Literal["local", "ray"]
    """Where the processes are: on this machine, or on those of a cluster."""
    workers: int | None = Field(ge=1)
    """Processes that train at the same time; null only in a cluster: as many as it has room for."""
    ray: Ray
    stack: bool
    """Whether heads on the same features train in one compiled program."""
    dry_run: bool
    """Whether the plan is only shown."""

    @property
    def workers_here(self) -> int:
        """Processes that train on one machine at the same time, as far as this machine knows."""
        return self.workers or 1


class Report(Setting):
    """What is drawn after training."""

    level: Literal["none", "board", "full"]


class Figures(Setting):
    """How figures are drawn."""

    format: Literal["svg", "png", "pdf"]


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
    launcher: Launcher
    report: Report
    figures: Figures
    screen: Literal["auto", "plain", "quiet"]
    """`auto`: bars where lines can be replaced; `plain`: lines alone; `quiet`: warnings, failures and the board."""
    plugins: tuple[str, ...]
    overrides: tuple[str, ...]
    """The command-line words that gave this run."""

    def without_credentials(self) -> Job:
        """The job for a worker, which has no business with MLflow."""
        return self.model_copy(update={"tracking": self.tracking.model_copy(update={"uri": None})})

    @property
    def directory(self) -> Path:
        """The sweep's folder."""
        return self.paths.results / self.sweep.name


class Assignment(Setting):
    """One run of an order: its job and its record before it begins."""

    job: Job
    planned: RunRecord
    batch_size: int = Field(ge=1)
    """`training.batch_size`, or less after that has not fitted into memory."""
    exhibited: bool
    """Whether it is the run of its candidate that keeps heat maps for the report."""

    @property
    def spec(self) -> RunSpec:
        """What is computed: the job's spec with this batch size."""
        spec = self.job.spec
        training = spec.training.model_copy(update={"batch_size": self.batch_size})
        return spec.model_copy(update={"training": training})


class Order(Setting):
    """What a worker is asked to do at once: runs on the pictures of one manifest, several only as a stack of heads."""

    runs: tuple[Assignment, ...] = Field(min_length=1)
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
