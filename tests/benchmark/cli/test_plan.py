"""bench plan: what a sweep would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark import cli

WORDS = ["dataset.max_per_class=12", "backbone=shallownet,lenet", "seed=0,1"]


def test_a_plan_says_what_would_run_and_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = f"paths.results={tmp_path}"
    assert cli.run(["plan", *WORDS, results]) == 0
    said = capsys.readouterr().out
    assert "4 runs: 0 finished, 4 new" in said
    assert "nothing was run" in said
    assert not list(tmp_path.glob("*/runs"))
    assert cli.run(["plan", "-m", *WORDS, results]) == 0, "the words of a sweep may be taken as they are"
    assert "4 runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "note"),
    [
        ("hydra/launcher=basic", "hydra/launcher=basic trains every run by itself"),
        ("hydra/launcher=ray", "depends on its machines"),
        ("launcher.engine=ray", "depends on its machines"),
    ],
)
def test_a_plan_for_elsewhere_says_what_does_not_hold_there(
    word: str, note: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["plan", *WORDS, word, f"paths.results={tmp_path}"]) == 0
    assert note in capsys.readouterr().out


def test_a_plan_that_cannot_be_composed_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["plan", "backbone=lenett", f"paths.results={tmp_path}"]) == 1
    assert "did you mean 'lenet'" in capsys.readouterr().err


def test_a_plan_with_nothing_left_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["plan", *WORDS, f"paths.results={tmp_path}", "sweep.rerun=never"]) == 0
    said = capsys.readouterr().out
    assert "4 runs: 0 finished, 4 left as they are, 0 new" in said
    assert said.splitlines()[-1] == "nothing is left to do; nothing was run"
