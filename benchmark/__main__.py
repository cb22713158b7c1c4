"""`python -m benchmark`: one run; with `-m` a sweep. Here Hydra composes conf/; sweep.run does the work."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from benchmark import config, launching
from benchmark.errors import USAGE, explain
from benchmark.interruption import interruptible
from benchmark.jobs import Job


@hydra.main(version_base="1.3", config_path=str(config.CONF), config_name="config")
def _single(composed: DictConfig) -> launching.Ended | None:
    """One run, whose exit code is remembered, or one of a stock launcher's, whose end its sweep gets to know."""

    def jobs() -> Sequence[Job]:
        return config.to_jobs(config.without_machinery(composed), config.current_overrides())

    if HydraConfig.get().mode is RunMode.MULTIRUN:
        return launching.run_share(jobs)
    try:
        launching.remember(launching.run(jobs(), 1))
    except Exception as error:  # raised through Hydra it would be announced a second time
        launching.remember(explain(config.in_plain_words(error)))
    return None


def main() -> None:
    """Run the command line and exit with the documented code."""
    code = _run()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said and written: one more Ctrl-C changes nothing
    sys.exit(code)


def _run() -> int | str | None:
    """Run the command line and return what to exit with."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise what is wrong instead of printing half of it: it is explained below
    launching.register()
    # Hydra takes -m only in front of the overrides; people put it anywhere.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    try:
        with interruptible():
            _single()
    except SystemExit as ended:  # argparse's own code for a misused flag is 2, which means broken data here
        return USAGE if ended.code == 2 else ended.code
    except KeyboardInterrupt as error:
        return explain(error)
    except Exception as error:  # the outermost frame: every mistake becomes a sentence and an exit code
        return explain(config.in_plain_words(error))
    return launching.exit_code()


if __name__ == "__main__":
    main()
