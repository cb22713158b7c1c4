"""A board says when its results come from different code or libraries."""

from __future__ import annotations

from typing import Any

from benchmark.board.origins import several_origins
from benchmark.records import Baseline, RunRecord

HERE: dict[str, Any] = {"commit": "a" * 40, "diff": "", "python": "3.11.7", "versions": {"keras": "3.15.1"}, "gpu": "A"}


def records(*environments: dict[str, Any]) -> list[RunRecord]:
    spec = Baseline(baseline="majority", dataset="drawn", image_size=0, fold=None)
    return [
        RunRecord(
            run_id=f"r{place}", candidate="r", sweep="drawn", spec=spec, fingerprint="f", classes=("a", "b"),
            status="ok", primary="accuracy", environment=environment, command="",
        )
        for place, environment in enumerate(environments)
    ]  # fmt: skip


def test_nothing_is_said_of_results_of_one_origin_on_two_machines() -> None:
    assert several_origins(records(HERE, {**HERE, "gpu": "B"}, {})) == []


def test_what_differs_is_named() -> None:
    [said] = several_origins(records(HERE, {**HERE, "commit": "b" * 40, "versions": {"keras": "3.16.0"}}))
    assert "commit aaaaaaa, bbbbbbb" in said
    assert "keras 3.15.1, 3.16.0" in said
    assert "python" not in said
    assert "sweep.stale=rerun" in said


def test_changes_that_are_in_no_commit_are_named() -> None:
    [said] = several_origins(records(HERE, {**HERE, "diff": "0123456789ab"}))
    assert "changes none, 0123456789ab" in said


def test_what_has_no_result_has_no_origin() -> None:
    [one, other] = records(HERE, {**HERE, "python": "3.13.0"})
    assert several_origins([one, other.model_copy(update={"status": "failed"})]) == []
