"""What becomes of runs whose worker died."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from benchmark.bundles import Bundle, Todo
from benchmark.crew import Death
from benchmark.records import Failure, RunRecord
from benchmark.retries import MOST_MACHINES_LOST, Retries, SameFailure

LOST = Death("lost", "the machine went away", "lost")
KILLED = Death("SIGKILL", "killed", "crashed")
FULL = Death("SIGKILL", "memory ran out", "oom")
LATE = Death("timeout", "too long", "timeout")
UNBEGUN = Death("timeout", "not begun", "unbegun")


def todo(run_id: str) -> Todo:
    return Todo(run_id, cast(Any, None), {}, None)


def stack(*run_ids: str) -> Bundle:
    return Bundle(tuple(map(todo, run_ids)), "activations", "network")


def ids(bundles: list[Bundle]) -> list[list[str]]:
    return [[run.run_id for run in bundle.runs] for bundle in bundles]


def test_a_stack_whose_worker_died_is_done_one_by_one() -> None:
    verdict = Retries([stack("a", "b", "c"), stack("d")]).judge(["a", "c"], KILLED, 3)
    assert ids(verdict.again) == [["a"], ["c"]]
    assert verdict.ended == {}
    assert verdict.note == "killed; 2 runs are tried once more, one at a time"


def test_a_run_that_dies_alone_has_crashed() -> None:
    verdict = Retries([stack("a")]).judge(["a"], KILLED, 1)
    assert (verdict.again, verdict.note) == ([], "")
    assert verdict.ended["a"] == ("crashed", Failure(kind="SIGKILL", message="killed"))


def test_a_stack_that_came_no_further_is_done_one_by_one_and_each_of_its_runs_once() -> None:
    retries = Retries([stack("a", "b")])
    assert ids(retries.judge(["a", "b"], LATE, 2).again) == [["a"], ["b"]]
    verdict = retries.judge(["a"], LATE, 1)
    assert verdict.again == []
    assert verdict.ended["a"][0] == "timeout"


def test_what_a_worker_never_began_is_not_waited_for_again() -> None:
    verdict = Retries([stack("a", "b")]).judge(["a", "b"], UNBEGUN, 2)
    assert verdict.again == []
    assert {status for status, _ in verdict.ended.values()} == {"timeout"}


def test_a_batch_that_did_not_fit_is_halved_once() -> None:
    retries = Retries([stack("a")])
    assert retries.batch_size("a", 33) == 33
    assert ids(retries.judge(["a"], FULL, 1).again) == [["a"]]
    assert (retries.batch_size("a", 33), retries.batch_size("a", 1), retries.batch_size("b", 33)) == (16, 1, 33)
    assert retries.judge(["a"], FULL, 1).ended["a"][0] == "oom"


def test_a_stack_on_a_lost_machine_stays_a_stack() -> None:
    verdict = Retries([stack("a", "b", "c")]).judge(["b", "c"], LOST, 3)
    assert ids(verdict.again) == [["b", "c"]]
    assert "on another machine" in verdict.note


def test_a_run_that_loses_machine_after_machine_is_given_up() -> None:
    retries = Retries([stack("a")])
    verdicts = [retries.judge(["a"], LOST, 1) for _ in range(MOST_MACHINES_LOST)]
    assert [bool(verdict.again) for verdict in verdicts] == [True] * (MOST_MACHINES_LOST - 1) + [False]
    status, failure = verdicts[-1].ended["a"]
    assert status == "crashed"
    assert failure.message == f"the machine went away, {MOST_MACHINES_LOST} times"


def ended(kind: str | None, message: str = "m", status: str = "failed") -> RunRecord:
    failure = kind and Failure(kind=kind, message=message)
    return cast(RunRecord, SimpleNamespace(status=status, failure=failure))


def test_only_failures_of_one_kind_in_a_row_are_counted() -> None:
    same = SameFailure()
    assert [same.count(ended(kind)) for kind in ("A", "A", "B", None, None, "B", "B")] == [1, 2, 1, 0, 0, 1, 2]


def test_failures_that_differ_in_numbers_and_paths_alone_are_alike() -> None:
    same = SameFailure()
    messages = [f"the loss was nan in epoch {n} with learning rate {n}e+3: see /r/lenet-{n}/log.txt" for n in range(8)]
    assert [same.count(ended("Diverged", one, "diverged")) for one in messages] == list(range(1, 9))
    assert same.count(ended("Diverged", messages[0], "failed")) == 1
    assert same.count(ended("Diverged", "the loss was negative", "failed")) == 1
