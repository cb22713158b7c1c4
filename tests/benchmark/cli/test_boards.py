"""bench leaderboard, failures and metrics on a sweep's folder; mistakes in one sentence; nothing printed twice."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark import store
from benchmark.cli import COMMANDS, run
from benchmark.metrics import names, score_all
from benchmark.predictions import Predictions
from benchmark.records import Baseline, RunRecord


def a_run(name: str, **changes: object) -> RunRecord:
    """A record of a baseline, which needs no spec."""
    fields: dict[str, object] = {
        "run_id": name,
        "candidate": name,
        "sweep": "drawn",
        "spec": Baseline(baseline="majority", dataset="drawn", image_size=0, fold=None),
        "fingerprint": "f" * 64,
        "classes": ("a", "b"),
        "status": "ok",
        "primary": "accuracy",
        "command": "python -m benchmark",
    }
    return RunRecord.model_validate({**fields, **changes})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A sweep's folder with a finished and a crashed run."""
    truth = np.arange(40) % 2
    guess = np.where(np.arange(40) < 30, truth, 1 - truth)
    probabilities = np.where(np.eye(2)[guess] > 0, 0.9, 0.1).astype(np.float32)
    images = np.array([f"{index:064x}" for index in range(40)])
    predictions = Predictions(images, images, truth, probabilities, ("a", "b"))
    scores = score_all(predictions)
    directory = tmp_path / "drawn"
    store.make_sweep_directory(directory)
    store.write_predictions(directory, "good", "test", predictions)
    store.write_record(directory, a_run("good", test=scores, val=scores))
    failure = {"kind": "SIGKILL", "message": "found the worker gone"}
    store.write_record(directory, a_run("bad", status="crashed", failure=failure))
    return directory


def test_the_leaderboard_is_printed_in_every_form(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["leaderboard", str(directory)]) == 0
    assert ".750 [" in capsys.readouterr().out
    assert run(["leaderboard", str(directory), "--format", "markdown"]) == 0
    assert "| SIGKILL: found the worker gone |" in capsys.readouterr().out
    assert run(["leaderboard", str(directory), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["candidate"], row["status"], row["test_accuracy"]) for row in rows] == [
        ("bad", "crashed", ""),
        ("good", "baseline", "0.750000"),
    ]
    assert run(["leaderboard", str(directory), "-f", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["primary"] == "accuracy"
    assert content["rows"][0]["test_accuracy"] is None
    assert content["failures"][0]["kind"] == "SIGKILL"


def test_failures_say_why_where_and_how_to_run_again(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["failures", str(directory), "-f", "json"]) == 0
    (failure,) = json.loads(capsys.readouterr().out)
    assert failure["message"] == "found the worker gone"
    assert failure["log"] == str(directory / "runs" / "bad" / "log.txt")
    assert failure["command"] == "python -m benchmark"


def test_metrics_lists_every_metric_with_its_direction(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["metrics", "-f", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["metric"] for row in rows] == list(names())
    assert {row["metric"] for row in rows if row["better"] == "lower"} >= {"log_loss", "ece"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["leaderbord"], "Did you mean 'leaderboard'?"),
        (["leaderboard"], "Missing argument 'DIR'"),
        (["leaderboard", "nowhere"], "found no folder nowhere"),
        (["leaderboard", "nowhere", "--format", "yaml"], "'yaml'"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 1
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1


def test_the_results_folder_instead_of_a_sweeps_names_the_sweeps(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["leaderboard", str(directory.parent)]) == 1
    assert f"give one of its sweeps: {directory.name}" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["json", "table"])
def test_a_reader_that_closes_the_pipe_sees_no_error(directory: Path, form: str) -> None:
    code = "from benchmark.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "leaderboard", str(directory), "-f", form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_that_begins_as_the_list_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: bench {name}")
    assert "Example" in text


def test_a_board_fits_a_narrow_terminal(directory: Path) -> None:
    leader, follower = pty.openpty()
    environ = {"COLUMNS": "60", "PATH": "/usr/bin:/bin", "TERM": "xterm"}
    code = "from benchmark.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "leaderboard", str(directory)], stdout=follower, stderr=follower, env=environ
    ) as process:
        process.wait()
    text = os.read(leader, 65536).decode()
    os.close(leader)
    os.close(follower)
    table = [line for line in text.splitlines() if "majority" in line]
    assert table
    assert all(len(line.rstrip()) <= 60 for line in table)
    assert "parameters" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["insects", "leaderboard"], "The command comes first: bench leaderboard insects"),
        (["bogus"], "There are audit, prepare, cache"),
        (["diff", "a"], "Usage: bench diff [OPTIONS]"),
    ],
)
def test_words_that_cannot_be_followed_are_put_right(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 1
    assert said in capsys.readouterr().err


def test_the_sweep_of_nearly_the_same_name_is_named(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["leaderboard", str(directory)[:-1]]) == 1
    assert f"did you mean {directory}?" in capsys.readouterr().err
