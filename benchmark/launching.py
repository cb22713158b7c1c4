"""Launching: Hydra's own extension points. A sweep's jobs are composed and validated together, then run as one plan."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra._internal.core_plugins import basic_sweeper
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.plugin import Plugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from benchmark.composition import Composer
from benchmark.credentials import without_credentials
from benchmark.errors import RUNS_FAILED, ConfigurationError, explain, first_line, sentence
from benchmark.jobs import Job

_exit_codes = [0]


class LauncherFailed(RuntimeError):
    """A stock launcher has lost its processes or its cluster."""

    exit_code = RUNS_FAILED


def exit_code() -> int:
    """The highest exit code that was remembered: Hydra returns nothing from a multirun."""
    return max(_exit_codes)


def remember(code: int) -> None:
    """Let the command end with this exit code, or with a higher one."""
    _exit_codes.append(code)


def run(jobs: Iterable[Job], asked: int) -> int:
    """Run the jobs, about so many, as one plan, show its board and return the exit code.

    A worker loads Keras while all but the first of them are composed.
    """
    # Only now: a mistake in the configuration answers before anything heavy loads.
    from benchmark import hiring  # noqa: PLC0415

    waiting = iter(jobs)
    first = next(waiting)
    with hiring.begun_early(first, asked) as crew:
        everything = [first, *waiting]
        from benchmark import sweep  # noqa: PLC0415
        from benchmark.cli.boards import show_board  # noqa: PLC0415

        return sweep.run(everything, show_board, crew)


class Ended(NamedTuple):
    """How a job ended that a stock launcher has handed out."""

    code: int
    trouble: str = ""
    """Why it did not even plan its runs; what becomes of runs stands in their records."""
    log: str = ""
    """The file to which it has printed; empty when that was this terminal."""


def run_share(make_jobs: Callable[[], Sequence[Job]]) -> Ended:
    """Run what a stock launcher has handed out, perhaps in another process; the sweeper does all the rest."""
    try:
        jobs = make_jobs()
        from benchmark import shares  # noqa: PLC0415

        return Ended(shares.compute(jobs))
    except Exception as error:
        return Ended(explain(error), sentence(error), _log())


def _log() -> str:
    """The file that submitit gives this process in place of a terminal."""
    submitit = sys.modules.get("submitit")
    try:
        return str(submitit.JobEnvironment().paths.stderr) if submitit else ""
    except RuntimeError:  # none of its jobs
        return ""


class PlannedLauncher(Launcher):
    """Hands all jobs of a multirun to one plan, composed and validated before the first of them starts."""

    def __init__(self, engine: str | None) -> None:
        """Where the workers are is a matter of the jobs, which take it from the launcher's configuration."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what `launch` needs; called by Hydra."""
        self.config = config
        self.hydra_context = hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Run the jobs; every JobReturn holds only the overrides, so that nothing heavy outlives its run."""
        jobs = Composer(self.hydra_context.config_loader, self.config).jobs(job_overrides)
        remember(run(jobs, len(job_overrides)))
        return [JobReturn(overrides=words, _return_value=None, status=JobStatus.COMPLETED) for words in job_overrides]


class PlannedSweeper(Sweeper):
    """Every combination of a sweep's words; a stock launcher gets them after all of them have been validated."""

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None) -> None:
        """The combinations are made by Hydra's own sweeper; `max_batch_size` and `params` are its options."""
        # Hydra loads its plug-ins' modules a second time, so that a class derived from this one would be torn in two.
        self._combinations = basic_sweeper.BasicSweeper(max_batch_size, params)
        self._combinations.validate_batch_is_legal = self._validate  # type: ignore[method-assign]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher; called by Hydra."""
        self._context, self._config = hydra_context, config
        self._handed_out: list[Job] = []
        self._credentials: dict[str, str] = {}
        self._combinations.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        """Hand every combination of the words to the launcher; called by Hydra."""
        try:
            batches: list[Sequence[JobReturn]] = self._combinations.sweep(arguments)
        except Exception as error:
            if not self._handed_out:
                raise
            self._conclude([])
            name = type(self._combinations.launcher).__name__
            raise LauncherFailed(
                f"found {name} giving up ({type(error).__name__}: {first_line(error)}); expected it to see all runs to "
                "their end: the same command again finishes the rest"
            ) from error
        if self._handed_out:
            # What a job has raised is raised here.
            self._conclude([returned.return_value for batch in batches for returned in batch])
        return batches

    def _conclude(self, ended: Sequence[Ended]) -> None:
        """Publish and show what the jobs have left, and say why some have left nothing."""
        from benchmark import shares  # noqa: PLC0415 - heavy
        from benchmark.cli.boards import show_board  # noqa: PLC0415

        os.environ.update(self._credentials)
        remember(max([shares.conclude(self._handed_out, show_board), *(one.code for one in ended)]))
        troubles: dict[str, list[str]] = {}
        for one in (one for one in ended if one.trouble):
            troubles.setdefault(one.trouble, []).append(one.log)
        for trouble, logs in troubles.items():
            place = f" (log: {logs[0]})" if logs[0] else ""
            print(f"error: {len(logs)} of the launcher's jobs began nothing: {trouble}{place}", file=sys.stderr)  # noqa: T201

    def _validate(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose and validate the jobs, unless the launcher does: Hydra's own way takes a tenth of a second for each.

        Raises:
            ConfigurationError, HydraException: a job that cannot be run.
        """
        self._hide_credentials()
        if isinstance(self._combinations.launcher, PlannedLauncher):
            return
        jobs = list(Composer(self._context.config_loader, self._config).jobs(batch))
        for uri in (job.tracking.uri for job in jobs):
            if uri and without_credentials(uri) != uri:
                raise ConfigurationError(
                    f"found tracking.uri={without_credentials(uri)} with a user name or password; expected neither, as "
                    "this launcher keeps its jobs in files: give them in MLFLOW_TRACKING_USERNAME and "
                    "MLFLOW_TRACKING_PASSWORD (a database's in its own, such as PGUSER and PGPASSWORD)"
                )
        from benchmark import shares  # noqa: PLC0415 - heavy

        os.environ.update(self._credentials)
        shares.announce(jobs)
        self._credentials = shares.take_credentials()
        self._handed_out += jobs

    def _hide_credentials(self) -> None:
        """Hydra has just kept the sweep's words in a file; a password among them does not stay there."""
        kept = Path(self._config.hydra.sweep.dir) / "multirun.yaml"
        if kept.is_file():
            text = kept.read_text("utf-8")
            if without_credentials(text) != text:
                kept.write_text(without_credentials(text), encoding="utf-8")


def register() -> None:
    """Make sweeper and launcher known to Hydra, which accepts them only from the namespace hydra_plugins."""
    plugins = Plugins.instance()  # scans the installed plug-ins first, if there are any
    namespace = sys.modules.setdefault("hydra_plugins", types.ModuleType("hydra_plugins"))
    namespace.__dict__.setdefault("__path__", [])  # a package, so that its modules can be named
    module = sys.modules.setdefault("hydra_plugins.planned", types.ModuleType("hydra_plugins.planned"))
    ours: tuple[type[Plugin], ...] = (PlannedLauncher, PlannedSweeper)
    for plugin in ours:
        home, plugin.__module__ = plugin.__module__, module.__name__
        setattr(module, plugin.__name__, plugin)
        plugins.register(plugin)
        plugin.__module__ = home  # other processes find the class there
