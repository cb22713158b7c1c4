"""`python -m benchmark`: one run; with `-m` a sweep. Here Hydra composes conf/; sweep.run does the work."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from benchmark import config
from benchmark.errors import USAGE, explain
from benchmark.jobs import Job

CONF = Path(__file__).resolve().parent.parent / "conf"


class PlannedLauncher(Launcher):
    """Hands all jobs of a multirun to one plan, composed and validated before the first of them starts."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what `launch` needs; called by Hydra."""
        self.config = config
        self.hydra_context = hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Run the jobs; every JobReturn holds only the overrides, so that nothing heavy outlives its run."""
        loader = self.hydra_context.config_loader
        composed = [(loader.load_sweep_config(self.config, list(words)), words) for words in job_overrides]
        _run([job for configuration, words in composed for job in config.to_jobs(configuration, words)])
        return [JobReturn(overrides=words, _return_value=None, status=JobStatus.COMPLETED) for words in job_overrides]


def _register(launcher: type[Launcher]) -> None:
    """Make the launcher known to Hydra, which accepts one only from the namespace hydra_plugins."""
    plugins = Plugins.instance()  # scans the installed plug-ins first, if there are any
    launcher.__module__ = "hydra_plugins.planned"
    namespace = sys.modules.setdefault("hydra_plugins", types.ModuleType("hydra_plugins"))
    namespace.__dict__.setdefault("__path__", [])  # a package, so that its modules can be named
    module = types.ModuleType(launcher.__module__)
    setattr(module, launcher.__name__, launcher)
    sys.modules[launcher.__module__] = module
    plugins.register(launcher)


_exit_code = 0


def _run(jobs: Sequence[Job]) -> None:
    """Run the jobs and remember the exit code: Hydra returns nothing from a multirun."""
    global _exit_code
    # Only now: a mistake in the configuration answers before anything heavy loads.
    from benchmark import sweep  # noqa: PLC0415
    from benchmark.cli.boards import show_board  # noqa: PLC0415

    _exit_code = max(_exit_code, sweep.run(jobs, show_board))


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _single(composed: DictConfig) -> None:
    """One run, or one of a stock launcher's."""
    global _exit_code
    try:
        _run(config.to_jobs(composed, config.current_overrides()))
    except Exception as error:  # raised through Hydra it would be announced a second time, and end a multirun
        _exit_code = max(_exit_code, explain(error))


def main() -> None:
    """Run the command line and exit with the documented code."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise what is wrong instead of printing half of it: it is explained below
    _register(PlannedLauncher)
    # Hydra takes -m only in front of the overrides; people put it anywhere.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    try:
        _single()
    except SystemExit as ended:  # argparse's own code for a misused flag is 2, which means broken data here
        sys.exit(USAGE if ended.code == 2 else ended.code)
    except KeyboardInterrupt as error:
        sys.exit(explain(error))
    except Exception as error:  # the outermost frame: every mistake becomes a sentence and an exit code
        sys.exit(explain(config.in_plain_words(error, CONF)))
    sys.exit(_exit_code)


if __name__ == "__main__":
    main()
