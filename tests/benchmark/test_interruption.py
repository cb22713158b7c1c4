"""A sweep that is interrupted, killed or not alone in its folder leaves true records, and the same command ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from pydantic import TypeAdapter

from benchmark import claims, store
from benchmark.cli import run
from benchmark.interruption import interruptible
from benchmark.records import RunRecord
from benchmark.spec import RunSpec

PLUGINS = Path(__file__).resolve().parent.parent / "plugins"
WORDS = ["dataset.max_per_class=15", "training.epochs=1", "dataset.image_size=16", "report.level=none",
         "machine.measure_latency=false", "sweep.name=s", "backbone.name=tiny,waiting"]  # fmt: skip

ALONE = ["plugins=[faulty_backbones]", "machine.threads=1"]
"""For a process of its own."""


class Folder:
    """A results folder in which sweeps are started; `waiting` runs end when `let_go` was called."""

    def __init__(self, results: Path) -> None:
        self.results, self._mark, self._begun = results, results / "mark", list[subprocess.Popen[str]]()

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a sweep."""
        environ = {**os.environ, "PYTHONPATH": str(PLUGINS), "MARK": str(self._mark)}
        command = [sys.executable, "-m", "benchmark", "-m", *WORDS, *ALONE, f"paths.results={self.results}", *words]
        sweep = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ)
        self._begun.append(sweep)
        return sweep

    def until_it_waits(self, sweep: subprocess.Popen[str]) -> None:
        """Wait until everything but the waiting run is done."""
        while sweep.poll() is None and not (self._status("tiny") == "ok" and self._status("waiting") == "running"):
            time.sleep(0.2)
        assert sweep.poll() is None, sweep.communicate()[0]

    def let_go(self) -> None:
        self._mark.touch()

    def records(self) -> dict[str, RunRecord]:
        """Of the networks, by backbone."""
        found = store.survey(self.results / "s").records if (self.results / "s").is_dir() else []
        return {one.spec.backbone.name: one for one in found if isinstance(one.spec, RunSpec)}

    def _status(self, backbone: str) -> str:
        record = self.records().get(backbone)
        return record.status if record else ""

    def end(self) -> None:
        """Leave no process behind."""
        for sweep in self._begun:
            sweep.kill()
            sweep.wait()
            if sweep.stdout:
                sweep.stdout.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    folder.end()


def once(sweep: subprocess.Popen[str]) -> None:
    sweep.send_signal(signal.SIGINT)


def twice(sweep: subprocess.Popen[str]) -> None:
    sweep.send_signal(signal.SIGINT)
    time.sleep(0.1)
    sweep.send_signal(signal.SIGINT)


def terminate(sweep: subprocess.Popen[str]) -> None:
    sweep.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(("stop", "again"), [(once, True), (terminate, False)])
def test_an_interrupted_sweep_says_so_everywhere_and_the_same_command_ends_it(
    folder: Folder, run_sweep: Any, stop: Callable[[subprocess.Popen[str]], None], again: bool
) -> None:
    sweep = folder.start()
    folder.until_it_waits(sweep)
    stop(sweep)
    said = sweep.communicate()[0]
    assert sweep.returncode == 130, said
    assert "Traceback" not in said
    assert {name: one.status for name, one in folder.records().items()} == {"tiny": "ok", "waiting": "interrupted"}
    stopped = folder.records()["waiting"]
    assert stopped.environment["threads"] == 1
    assert stopped.environment["commit"] == folder.records()["tiny"].environment["commit"]
    assert mlflow_statuses(folder) == {"tiny": "FINISHED", "waiting": "KILLED", "": "KILLED"}
    if not again:
        return
    ended = run_sweep(*WORDS, f"paths.results={folder.results}", marked=True)
    assert ended.code == 0, ended.output + ended.errors
    assert "1 interrupted -> again" in ended.output
    assert mlflow_statuses(folder) == {"tiny": "FINISHED", "waiting": "FINISHED", "": "FINISHED"}


def test_a_sweep_interrupted_twice_ends_and_the_same_command_finishes_it(folder: Folder, run_sweep: Any) -> None:
    sweep = folder.start("tracking=none")
    folder.until_it_waits(sweep)
    twice(sweep)
    said = sweep.communicate()[0]
    assert sweep.returncode == 130, said
    assert "Traceback" not in said
    assert folder.records()["waiting"].status in ("interrupted", "running")
    ended = run_sweep(*WORDS, "tracking=none", f"paths.results={folder.results}", marked=True)
    assert ended.code == 0, ended.output + ended.errors


def test_after_a_kill_the_run_under_way_is_listed_as_interrupted(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = folder.start("tracking=none")
    folder.until_it_waits(sweep)
    sweep.kill()
    sweep.communicate()
    killed = folder.records()["waiting"]
    assert killed.status == "running"
    assert killed.environment["threads"] == 1
    assert not claims.is_under_way(folder.results / "s", killed)
    assert run(["failures", str(folder.results / "s")]) == 0
    said = capsys.readouterr().out
    assert "interrupted: the sweep that was at it ended without a word" in said
    assert f"again: {killed.command}" in said
    assert said.endswith("1 interrupted\n")
    assert run(["leaderboard", str(folder.results / "s")]) == 0
    assert "1 run is marked running, but the sweep that was at it ended" in capsys.readouterr().out


def test_two_sweeps_in_one_folder_leave_each_other_their_runs(folder: Folder) -> None:
    first = folder.start("tracking=none")
    folder.until_it_waits(first)
    second = folder.start("tracking=none", "seed=0,1", "backbone.name=tiny,waiting")
    while second.poll() is None and len(store.survey(folder.results / "s").records) < 6:
        time.sleep(0.2)
    folder.let_go()
    said = second.communicate()[0]
    assert second.returncode == 0, said
    assert "1 run is under way in another process and left to it" in said
    assert "interrupted" not in said
    said = first.communicate()[0]
    assert first.returncode == 0, said
    assert {record.status for record in store.survey(folder.results / "s").records} == {"ok"}


def test_the_sweep_that_ends_first_does_not_count_what_the_other_is_at_as_failed(folder: Folder) -> None:
    first = folder.start("tracking=none")
    folder.until_it_waits(first)
    second = folder.start("tracking=none")
    said = second.communicate()[0]
    assert second.returncode == 0, said
    assert "1 run is under way in another process, which will add the results" in said
    assert "without a result" not in said
    folder.let_go()
    assert first.wait() == 0


def mlflow_statuses(folder: Folder) -> dict[str, str]:
    """Of the runs of networks by backbone, and of the sweep's own by nothing."""
    client = MlflowClient(f"sqlite:///{folder.results}/mlflow.db")
    [experiment] = [one for one in client.search_experiments() if one.name == "digits"]
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'run'")
    [parent] = client.search_runs([experiment.experiment_id], "tags.kind = 'sweep'")
    return {**{one.data.tags["backbone"]: one.info.status for one in runs}, "": parent.info.status}


class Interrupting:
    """What sends a signal while somebody asks what it is."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        number, self.number = self.number, None
        if number is not None:
            signal.raise_signal(number)
        return Interrupting


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_pydantic_asks_is_delivered_again(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    wanted = TypeAdapter(Mapping[str, int] | int)
    with pytest.raises(KeyboardInterrupt), interruptible():  # noqa: PT012
        with pytest.raises(ValueError, match="int"):
            wanted.validate_python(Interrupting(number))
        time.sleep(30)
    assert capfd.readouterr() == ("", "")


def test_sigterm_is_raised_as_an_interrupt_and_both_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert (signal.getsignal(signal.SIGTERM), sys.unraisablehook) == before


def test_another_lost_error_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def __del__(self) -> None:
            raise ValueError("lost")

    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(str(lost.exc_value)))
    with interruptible():
        failing = Failing()
        del failing
    assert told == ["lost"]
