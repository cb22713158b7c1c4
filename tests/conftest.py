"""What holds for the whole test run. `BENCH_TESTS=all` runs the long forms of tests that otherwise take a sample.

Here are also whole sweeps in the tests' own process, with a worker that stays warm from one to the next.
"""

from __future__ import annotations

import contextlib
import gc
import io
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from backbones import registry
from benchmark import asking, plugins, sweep
from benchmark.cli.boards import show_board
from benchmark.crew import LocalCrew
from benchmark.errors import explain

SLOW = ("tests/resilience/", "tests/simulation/", "tests/benchmark/test_", "tests/benchmark/model/")

# A shell that starts the tests in the background lets all of their children ignore Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PLUGINS = Path(__file__).resolve().parent / "plugins"
FAULTY = "faulty_backbones"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slowest files, so that the processes that share the tests end together."""
    items.sort(key=lambda item: next((at for at, start in enumerate(SLOW) if item.nodeid.startswith(start)), len(SLOW)))


def pytest_collection_finish() -> None:
    """Search no more for garbage in what the tests import, which is much and stays."""
    gc.freeze()


class Ended(NamedTuple):
    """A sweep that has run."""

    code: int
    output: str
    errors: str


RunSweep = Callable[..., Ended]


class WarmCrew(LocalCrew):
    """A crew of one worker that outlives its sweep: TensorFlow takes longer to load than such a sweep to run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "worker.log", 1)
        self.mark = folder / "mark"
        """The file that the faulty backbones know as MARK."""

    def __exit__(self, *_: object) -> None:
        if self.busy:
            self.stop()

    def move_log(self, path: Path) -> None:
        """Its log is not one sweep's."""


@pytest.fixture(scope="session")
def warm_crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmCrew]:
    """The crew of all sweeps of `run_sweep`."""
    crew = WarmCrew(tmp_path_factory.mktemp("crew"))
    yield crew
    crew.stop()


@pytest.fixture(scope="module")
def run_sweep(warm_crew: WarmCrew) -> Iterator[RunSweep]:
    """`run_sweep(*words)` does what `python -m benchmark -m WORDS` does, start-up apart; it knows the faulty backbones.

    Who asks for `launcher.workers` gets workers of its own; with `marked` what happens once has happened already. What
    the faulty backbones register is forgotten after the module's tests.
    """
    registry.broken()  # from here on all of the project's own are registered
    backbones, modules = dict(registry._registered), dict(plugins._loaded)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARK", str(warm_crew.mark))
        patch.setenv("PYTHONPATH", str(PLUGINS))
        patch.syspath_prepend(PLUGINS)

        def run(*words: str, marked: bool = False) -> Ended:
            warm_crew.mark.unlink(missing_ok=True)
            if marked:
                warm_crew.mark.touch()
            output, errors = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                try:
                    jobs = asking.jobs([f"plugins=[{FAULTY}]", *words])
                    owns = any(word.startswith("launcher.workers=") for word in words)
                    code = sweep.run(jobs, show_board, None if owns else warm_crew)
                except Exception as error:  # as the command does
                    code = explain(error)
            return Ended(code, output.getvalue(), errors.getvalue())

        yield run
    sys.modules.pop(FAULTY, None)
    for table, before in ((registry._registered, backbones), (plugins._loaded, modules)):
        table.clear()
        table.update(before)
