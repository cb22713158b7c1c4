"""bench leaderboard with --costs and --without, and damaged folders, on a small sweep that the store wrote."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir

from benchmark import config, store
from benchmark.cli import run
from benchmark.metrics import score_all
from benchmark.predictions import Predictions
from benchmark.records import Cost, Latency, Parameters, RunRecord
from benchmark.spec import RunSpec

CONF = Path(__file__).resolve().parents[3] / "conf"
CLASSES = ("ant", "bee", "cat")
FINGERPRINT = "f" * 64


def spec_of(*words: str) -> RunSpec:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return config.to_jobs(config.without_machinery(compose("config", list(words))), words)[0].spec


def answers(wrong: int) -> Predictions:
    """Answers to 60 pictures of which so many of the first are wrong."""
    truth = np.arange(60) % 3
    guess = np.where(np.arange(60) < wrong, (truth + 1) % 3, truth)
    images = np.array([f"{index:064x}" for index in range(60)])
    probabilities = np.where(np.eye(3, dtype=bool)[guess], 0.8, 0.1).astype(np.float32)
    return Predictions(images, images, truth, probabilities, CLASSES)


def write_run(directory: Path, spec: RunSpec, predictions: Predictions, milliseconds: float) -> RunRecord:
    """One finished run in the sweep's folder."""
    fast = Latency(
        batch_1_p50=milliseconds, batch_1_p95=milliseconds, batch_32_p50=milliseconds, batch_32_p95=milliseconds
    )
    cost = Cost(
        epochs=1, best_epoch=1, seconds_pixels=0, seconds_features=0, seconds_train=milliseconds, seconds_predict=0,
        seconds_input=0, seconds_total=1, path="whole", stacked=1, batch_size_effective=64, latency=fast,
        peak_memory_mb=500,
    )  # fmt: skip
    scores = score_all(predictions)
    record = RunRecord(
        run_id=spec.run_id(FINGERPRINT), candidate=spec.candidate(FINGERPRINT), sweep="drawn", spec=spec,
        fingerprint=FINGERPRINT, classes=CLASSES, status="ok", primary="balanced_accuracy", test=scores, val=scores,
        parameters=Parameters(total=1000, trainable=900, features=64, flops=5_000_000), cost=cost,
        environment={"gpu": "H200"}, command="python -m benchmark",
    )  # fmt: skip
    store.make_sweep_directory(directory)
    store.write_predictions(directory, record.run_id, "test", predictions)
    store.write_record(directory, record)
    return record


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Two equal candidates and a bad one, two seeds each."""
    directory = tmp_path / "drawn"
    for words, wrong, milliseconds in (("lenet", 6, 1.0), ("shallownet", 7, 4.0), ("minivgg", 50, 9.0)):
        for seed in (0, 1):
            spec = spec_of(f"backbone={words}", f"seed={seed}")
            write_run(directory, spec, answers(wrong + seed), milliseconds)
    return directory


def test_costs_are_printed_in_every_form(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["leaderboard", str(directory), "--costs"]) == 0
    said = capsys.readouterr().out
    assert "Cheapest of the 2 rows tied with the best: lenet" in said
    assert "1 picture ms" in said
    assert run(["leaderboard", str(directory), "--costs", "-f", "markdown"]) == 0
    assert "| 1 picture ms |" in capsys.readouterr().out
    assert run(["leaderboard", str(directory), "--costs", "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["gpu"] == "H200"
    assert run(["leaderboard", str(directory), "--costs", "-f", "csv"]) == 0
    rows = {row["candidate"].partition("-")[0]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert rows["shallownet"]["latency_ms_batch_1_p50"] == "4.000"
    assert rows["lenet"]["on_front_latency_ms_batch_1_p50"] == "true"
    assert rows["minivgg"]["on_front_seconds_train_mean"] == "false"


def test_the_board_names_the_fastest_tied_row_on_the_screen_and_not_in_its_files(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["leaderboard", str(directory)])
    assert "by latency (1 ms for one picture) and training time (1 s a run)" in capsys.readouterr().out
    for form in ("markdown", "csv"):
        run(["leaderboard", str(directory), "-f", form])
        assert "latency" not in capsys.readouterr().out


def test_candidates_left_out_are_not_compared_and_no_file_changes(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert run(["leaderboard", str(directory), "--without", "mini*", "--without", "*shallow*", "-f", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [row["backbone"] for row in content["rows"]] == ["lenet"]
    assert "2 of 3 candidates are left out of this view (--without mini* *shallow*)" in content["sentences"][-1]
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("lenet", "fits --without lenet; expected a pattern for whole names, such as lenet-"),
        ("*", "expected one at least"),
    ],
)
def test_a_pattern_that_fits_nobody_or_everybody_is_a_mistake(
    pattern: str, message: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["leaderboard", str(directory), "--without", pattern]) == 1
    assert message in capsys.readouterr().err


def test_only_a_row_that_stands_alone_at_the_top_is_bold(directory: Path) -> None:
    def bold_lines(*words: str) -> list[str]:
        leader, follower = pty.openpty()
        environ = {"COLUMNS": "200", "PATH": "/usr/bin:/bin", "TERM": "xterm-256color"}
        code = "from benchmark.cli import main; main()"
        command = [sys.executable, "-c", code, "leaderboard", str(directory), *words]
        subprocess.run(command, stdout=follower, stderr=follower, env=environ, check=True)
        os.close(follower)
        text = os.read(leader, 65536).decode()
        os.close(leader)
        return [line for line in text.splitlines() if "\x1b[1m" in line and re.search("lenet|shallownet|minivgg", line)]

    assert bold_lines() == []
    [alone] = bold_lines("--without", "shallownet-*")
    assert "lenet" in alone


def damage(directory: Path, change: str) -> None:
    """Break the predictions of one run as `change` says, as a person or a full disk might."""
    path = next(directory.glob("runs/lenet-*-s0-*/predictions.parquet"))
    table = pd.read_parquet(path)
    attributes = table.attrs
    if change == "NaN":
        table.loc[3, "p1"] = np.nan
    elif change == "sum":
        table.loc[3, "p1"] += 0.5
    elif change == "missing":
        table = table.iloc[1:]
    table.attrs = attributes
    table.to_parquet(path, index=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("NaN", "found NaN or infinite probabilities for 1 of 60"),
        ("sum", "rows off 1 by"),
        ("missing", "59 of them the same"),
    ],
)
def test_predictions_that_were_written_wrong_are_one_sentence_and_no_board(
    change: str, message: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(directory, change)
    run_id = spec_of("backbone=lenet").run_id(FINGERPRINT)
    store.write_record(directory, store.load_record(store.run_directory(directory, run_id)))
    assert run(["leaderboard", str(directory)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert message in said.err
    assert "the sweep's command again" in said.err


@pytest.mark.parametrize("change", ["NaN", "sum", "missing"])
def test_damaged_predictions_are_named_with_the_way_out_and_never_ranked(
    change: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(directory, change)
    assert run(["leaderboard", str(directory), "-f", "json"]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    assert re.search(r"lenet-\S*-s0-", said.err)
    assert "the sweep's command" in said.err
    seeds = {row["backbone"]: row["n_seeds"] for row in json.loads(said.out)["rows"]} if said.out else {}
    assert seeds.get("lenet", 0) < 2


def test_two_specs_under_one_candidate_are_refused(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = spec_of("backbone=lenet", "seed=7", "training.epochs=9")
    record = write_run(directory, other, answers(6), 1.0)
    name = spec_of("backbone=lenet").candidate(FINGERPRINT)
    store.write_record(directory, record.model_copy(update={"candidate": name}))
    assert run(["leaderboard", str(directory)]) == 2
    assert "differ in training.epochs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("\n2,", "\n1,", 5, "schema_version 1"),
        ("\n2,1,", "\n2,one,", 1, "'one' in line 2"),
        (",true,ok", ",true,ok,more", 1, "cells in line 2"),
    ],
)
def test_a_csv_that_was_edited_or_is_older_is_found_out(
    old: str, new: str, code: int, message: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["leaderboard", str(directory), "-f", "csv"])
    text = capsys.readouterr().out
    assert old in text
    file = directory.parent / "edited.csv"
    file.write_text(text.replace(old, new), "utf-8")
    assert run(["diff", str(file), str(directory)]) == code
    assert message in capsys.readouterr().err


def test_a_record_of_an_older_version_is_found_out(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(directory.glob("runs/lenet-*-s0-*/record.json"))
    text = path.read_text("utf-8")
    assert '"schema_version": 1' in text
    path.write_text(text.replace('"schema_version": 1', '"schema_version": 0'), "utf-8")
    code = run(["leaderboard", str(directory)])
    said = capsys.readouterr()
    assert code == 2
    assert "lenet-" in said.err
