"""bench failures: why, with tracebacks; alike ones together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from filelock import FileLock

from benchmark import store
from benchmark.cli import run
from benchmark.cli.failures import log_end
from benchmark.records import Baseline, Failure, RunRecord

LOG = """a first line
Traceback (most recent call last):
  an earlier one
ValueError: forgiven
more
Traceback (most recent call last):
  File "x.py", line 1, in <module>
ArithmeticError: the flux \x1b[31mcapacitor is empty
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A sweep's folder with two runs that failed alike, one killed without a word and one that waits."""
    directory = tmp_path / "drawn"
    store.make_sweep_directory(directory)
    flux = {"kind": "ArithmeticError", "message": "the flux capacitor is empty"}
    states = {"a0": ("failed", flux), "a1": ("failed", flux), "b0": ("crashed", {"kind": "SIGKILL", "message": "gone"})}
    for name, (status, failure) in {**states, "c0": ("pending", None)}.items():
        record = RunRecord.model_validate(
            {
                "run_id": name,
                "candidate": name[0],
                "sweep": "drawn",
                "fingerprint": "f" * 64,
                "classes": ("a", "b"),
                "spec": Baseline(baseline="majority", dataset="drawn", image_size=0, fold=None),
                "status": status,
                "failure": failure,
                "primary": "accuracy",
                "command": f"python -m benchmark {name}",
            }
        )
        store.write_record(directory, record)
        if failure is flux:
            store.write_text(store.run_directory(directory, name) / "log.txt", LOG)
    return directory


def test_runs_that_failed_alike_are_told_once_with_their_last_traceback(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["failures", str(directory)]) == 0
    said = capsys.readouterr().out
    assert said.count("2 runs failed: ArithmeticError: the flux capacitor is empty") == 1
    assert said.count('File "x.py", line 1') == 1
    assert "forgiven" not in said
    assert "again: python -m benchmark a0" in said
    assert "again: python -m benchmark a1" in said
    assert "crashed: SIGKILL: gone" in said
    assert "(nothing to show)" in said
    assert said.endswith("3 runs failed, 1 not yet run\n")
    assert "\x1b" not in said


def test_no_line_of_a_log_is_shown_where_none_is_asked_for(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["failures", str(directory), "--lines", "0"]) == 0
    said = capsys.readouterr().out
    assert "2 runs failed: ArithmeticError: the flux capacitor is empty" in said
    assert "x.py" not in said
    assert "nothing to show" not in said


def test_json_holds_the_end_of_every_log(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["failures", str(directory), "--format", "json", "--lines", "1"]) == 0
    ends = {row["run"]: row["end"] for row in json.loads(capsys.readouterr().out)}
    assert ends["a0"] == "... 2 lines before: see the log\nArithmeticError: the flux  [31mcapacitor is empty"
    assert ends["b0"] == ""


def test_a_log_without_a_traceback_shows_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("\n".join(f"line {number}" for number in range(100)))
    assert log_end(log, 60).splitlines() == [f"line {number}" for number in range(80, 100)]
    assert log_end(log, 0) == ""


ENDS = {
    "failed": "ValueError: no such flux",
    "expected": "backbones.weights.MissingWeights: found no weights; expected a file: download it",
    "refused": "PermissionError: [Errno 13] Permission denied: '/x'",
}


def test_a_traceback_is_shown_only_of_what_nobody_expected(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = {"failed": "ValueError", "expected": "MissingWeights", "refused": "PermissionError"}
    template = store.load_record(store.run_directory(directory, "c0"))
    for name, end in ENDS.items():
        change = {"run_id": name, "status": "failed", "failure": Failure(kind=kinds[name], message=f"{name} why")}
        store.write_record(directory, template.model_copy(update=change))
        text = f'Traceback (most recent call last):\n  File "{name}.py", line 1\n{end}\n'
        store.write_text(store.run_directory(directory, name) / "log.txt", text)
    run(["failures", str(directory)])
    said = capsys.readouterr().out
    assert 'File "failed.py"' in said
    assert "failed: MissingWeights: expected why" in said
    assert 'File "expected.py"' not in said
    assert 'File "refused.py"' not in said


def test_a_run_that_took_too_long_is_not_said_to_be_run_again_as_it_was(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template = store.load_record(store.run_directory(directory, "c0"))
    late = Failure(kind="timeout", message="the run took longer than sweep.timeout_minutes and was ended")
    for name in ("t0", "t1"):
        change = {"run_id": name, "status": "timeout", "failure": late}
        store.write_record(directory, template.model_copy(update=change))
    run(["failures", str(directory)])
    said = capsys.readouterr().out
    assert "2 runs timeout: the run took longer" in said
    assert said.count("again: python -m benchmark c0") == 2
    assert said.count("with a higher sweep.timeout_minutes") == 1


def test_a_run_whose_sweep_was_killed_is_interrupted_and_one_of_a_living_sweep_is_under_way(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template = store.load_record(store.run_directory(directory, "c0"))
    for name in ("k0", "l0"):
        store.write_record(directory, template.model_copy(update={"run_id": name, "status": "running"}))
    with FileLock(directory / ".locks" / "l0"):
        run(["failures", str(directory)])
    said = capsys.readouterr().out
    assert "interrupted: the sweep that was at it ended without a word" in said
    assert "  k0\n    again: python -m benchmark c0" in said
    assert "  l0\n" not in said
    assert said.endswith("3 runs failed, 1 interrupted, 1 under way, 1 not yet run\n")


def test_the_log_that_is_named_is_there(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "worker.log").write_text("could not load the plug-in\n")
    run(["failures", str(directory)])
    said = capsys.readouterr().out
    assert f"log: {directory / 'worker.log'}\n    could not load the plug-in" in said
    assert f"log: {store.run_directory(directory, 'a0') / 'log.txt'}" in said
