"""Workers that begin before there is a plan leave nothing behind where none comes of it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from benchmark import hiring
from benchmark.jobs import Job


def job_in(results: Path, sweep: str = "first") -> Job:
    """What the log is made from."""
    wanted: Any = SimpleNamespace(paths=SimpleNamespace(results=results), directory=results / sweep)
    return cast(Job, wanted)


def test_folders_that_were_made_for_the_log_alone_go_with_it(tmp_path: Path) -> None:
    with hiring._log(job_in(tmp_path / "new" / "results")) as log:
        log.write_text("loading")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_hold_something_stay(tmp_path: Path) -> None:
    with hiring._log(job_in(tmp_path / "results")) as log:
        log.with_name("kept").touch()
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["kept"]


def test_a_sweep_that_is_there_keeps_the_log(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    with hiring._log(job_in(tmp_path)) as log:
        log.write_text("loading")
    assert log.read_text() == "loading"
    assert log.parent == tmp_path / "first"


def test_logs_of_killed_calls_are_removed_and_those_of_living_ones_and_of_other_machines_stay(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    left, alive, elsewhere = (
        tmp_path / f".worker-{host}-{pid}.log"
        for host, pid in (
            (platform.node(), ended.pid),
            (platform.node(), os.getppid()),
            (f"{platform.node()}-2", ended.pid),
        )
    )
    for path in (left, alive, elsewhere):
        path.touch()
    with hiring._log(job_in(tmp_path)):
        assert not left.exists()
        assert alive.exists()
        assert elsewhere.exists()
