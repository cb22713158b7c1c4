"""Pages that are drawn beside the training, and those that are not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from filelock import FileLock

from benchmark import illustration
from benchmark.illustration import Illustrator
from benchmark.records import RunRecord


class Ended:
    """What an illustrator looks at of a record."""

    def __init__(self, finished: bool) -> None:
        self.finished = finished


def runs(*finished: bool) -> list[RunRecord]:
    return [cast(RunRecord, Ended(one)) for one in finished]


def test_finished_runs_beyond_the_most_are_given_back_and_said_with_the_command_that_draws_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(illustration, "MOST_PAGES", 0)
    illustrator = Illustrator(tmp_path / "my sweep", "svg", tmp_path / "measuring.lock")
    handed: Any = runs(True, False, True)
    for record in handed:
        illustrator.draw(record)
    assert "runs without a page: 2; " in illustrator.undrawn
    assert f"`bench report '{tmp_path}/my sweep'`" in illustrator.undrawn
    assert illustrator.drawn(wait=False) == handed


def test_a_sweep_that_wants_no_pages_misses_none(tmp_path: Path) -> None:
    illustrator = Illustrator(tmp_path, None, tmp_path / "measuring.lock")
    for record in runs(True, True):
        illustrator.draw(record)
    assert illustrator.undrawn == ""


def test_no_page_is_begun_while_a_latency_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, measuring = threading.Event(), tmp_path / "measuring.lock"
    monkeypatch.setattr(illustration.run_report, "write", lambda *_: begun.set())
    with FileLock(measuring):
        drawing = threading.Thread(target=illustration._draw, args=(measuring, tmp_path, runs(True)[0], "svg"))
        drawing.start()
        assert not begun.wait(0.3)
    assert begun.wait(10)
    drawing.join()


PARENT = """
import os, signal, sys, time
from pathlib import Path
from benchmark.illustration import Illustrator
from benchmark.records import RunRecord

if __name__ == "__main__":
    illustrator = Illustrator(Path("."), "svg", Path("measuring.lock"))
    illustrator.draw(RunRecord.model_construct(status="ok", run_id="none"))
    illustrator.drawn(wait=True)
    print(*illustrator._pool._processes, flush=True)
    time.sleep(60)
"""


def test_the_process_that_draws_ends_when_the_sweep_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = str(Path(__file__).parents[2])
    environ = {**os.environ, "PYTHONPATH": root}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, cwd=tmp_path, env=environ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(timeout=30)
