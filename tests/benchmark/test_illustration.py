"""Pages that are drawn beside the training, and those that are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

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
