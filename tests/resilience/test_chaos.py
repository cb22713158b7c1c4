"""A sweep that is killed at random moments ends as if it had not been; the short form of chaos.py."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_a_sweep_killed_again_and_again_gives_the_board_of_an_undisturbed_one(tmp_path: Path) -> None:
    sys.path.insert(0, str(HERE))
    try:
        script = importlib.import_module("chaos")
    finally:
        sys.path.remove(str(HERE))
    ended = script.chaos(tmp_path, kills=2, runs=script.Runs(1, "shallownet"))
    assert ended.kills == 2
    assert ended.done_twice == []
    assert ended.differing == []
    assert ended.mistracked == []
