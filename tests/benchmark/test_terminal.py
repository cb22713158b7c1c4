"""What a sweep says: bars, lines, the closing summary; in a terminal, a log and in quiet."""

from __future__ import annotations

import io
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmark.board import leaderboard
from benchmark.board.table import Leaderboard
from benchmark.cli.boards import MOST_ROWS, show_board
from benchmark.jobs import Tracking
from benchmark.metrics import score_all
from benchmark.plugins import load_plugin
from benchmark.predictions import Predictions
from benchmark.records import Baseline, RunRecord
from benchmark.terminal import MOST_BARS, Terminal


def a_run(name: str, **changes: object) -> RunRecord:
    """A record of a run that needs no spec."""
    fields: dict[str, object] = {
        "run_id": name, "candidate": name, "sweep": "drawn", "fingerprint": "f" * 64, "classes": ("a", "b"),
        "spec": Baseline(baseline="majority", dataset="drawn", image_size=0, fold=None), "status": "ok",
        "primary": "accuracy", "command": "python -m benchmark",
    }  # fmt: skip
    return RunRecord.model_validate({**fields, **changes})


def failed(name: str, message: str) -> RunRecord:
    return a_run(name, status="failed", failure={"kind": "ArithmeticError", "message": message})


def a_terminal(directory: Path, screen: str = "auto", **options: Any) -> tuple[Terminal, io.StringIO]:
    """A terminal of 100 columns and what is written to it."""
    written = io.StringIO()
    wide = {"force_terminal": True, "width": 100, "height": 30, "color_system": None, "_environ": {}, **options}
    return Terminal(directory, screen, Console(file=written, highlight=False, soft_wrap=True, **wide)), written


def last_frame(text: str) -> list[str]:
    """The lines of the bars as they were drawn last, before they were wiped away."""
    frames = [part for part in text.split("\x1b[2K") if part.strip()]
    return [line.rstrip() for frame in frames[-12:] for line in frame.splitlines() if line.strip(" \r\x1b[1A")]


def a_board(count: int) -> Leaderboard:
    """A board whose first row stands alone, of candidates named c00, c01, ..., and one baseline."""
    truth = np.arange(40) % 2
    probabilities = np.where(np.eye(2)[truth] > 0, 0.9, 0.1).astype(np.float32)
    images = np.array([f"{index:064x}" for index in range(40)])
    predictions = Predictions(images, images, truth, probabilities, ("a", "b"))
    scores = score_all(predictions)
    board = leaderboard.build([a_run("base", test=scores, val=scores)], lambda record: predictions, "accuracy")
    rows = pd.concat([board.table] * (count + 1), ignore_index=True)
    names = [f"c{number:02}" for number in range(count)]
    rows["candidate"] = rows["backbone"] = [*names, "base"]
    rows["status"] = ["ok"] * count + ["baseline"]
    for column in ("rank", "rank_low", "rank_high"):
        rows[column] = pd.array([*range(1, count + 1), None], dtype="Int64")
    rows["tied_with_best"] = pd.array([True, *[False] * (count - 1), None], dtype="boolean")
    rows["gap_to_best_low"] = rows["gap_to_best_high"] = 0.0
    return Leaderboard(rows, ("One sentence.",), (), "accuracy")


def test_the_bars_say_how_many_are_done_running_and_failed_and_who_leads(tmp_path: Path) -> None:
    terminal, written = a_terminal(tmp_path)
    terminal._todo = 4
    with terminal:
        terminal.say_start(a_run("one"), 10)
        terminal.say_start(a_run("two"), 10)
        terminal.say_epoch("two", {"epoch": 5})
        terminal.say_run(failed("one", "no"))
        terminal.say_best(a_board(3))
        terminal._bars.refresh()
        text = written.getvalue()
    frame = "\n".join(last_frame(text))
    assert "runs, 1 running, 1 failed" in frame
    assert "1/4" in frame
    assert "two" in frame
    assert "5/10" in frame
    assert "best so far: c00, accuracy 1.000 [" in frame
    assert all(len(line) <= 100 for line in last_frame(text))


def test_a_run_under_way_counts_by_its_epochs(tmp_path: Path) -> None:
    terminal, _ = a_terminal(tmp_path)
    terminal._todo = 2
    with terminal:
        terminal.say_start(a_run("one"), 4)
        terminal.say_epoch("one", {"epoch": 3})
        assert terminal._bars.tasks[0].completed == pytest.approx(0.75)


def test_a_large_stack_does_not_fill_the_screen_with_bars(tmp_path: Path) -> None:
    terminal, _ = a_terminal(tmp_path)
    with terminal:
        for number in range(40):
            terminal.say_start(a_run(f"run{number}"), 2)
        assert sum(task.visible for task in terminal._bars.tasks) == 1 + MOST_BARS
        terminal.say_run(failed("run0", "no"))
        shown = [task.description.strip() for task in terminal._bars.tasks if task.visible][1:]
        assert shown == [f"run{number}" for number in range(1, 1 + MOST_BARS)]


def test_nothing_is_left_of_the_bars(tmp_path: Path) -> None:
    terminal, written = a_terminal(tmp_path)
    with terminal:
        terminal.say_start(a_run("one"), 4)
    assert written.getvalue().rpartition("━")[2].count("\x1b[2K") >= 2, "both lines are wiped"


@pytest.mark.parametrize("screen", ["auto", "plain"])
def test_a_log_has_one_line_a_run_and_no_bars(tmp_path: Path, screen: str) -> None:
    terminal, written = a_terminal(tmp_path, screen, force_terminal=screen == "plain")
    terminal.say_plan(2, 0, Counter(), [])
    with terminal:
        terminal.say_start(a_run("one"), 3)
        terminal.say_run(failed("one", "the flux capacitor [red]is[/red] empty"))
    assert written.getvalue().splitlines() == [
        "2 runs: 0 finished, 2 left as they are, 0 new",
        "1/0 one: failed, ArithmeticError: the flux capacitor [red]is[/red] empty",
    ]


def test_quiet_says_failures_alone(tmp_path: Path) -> None:
    terminal, written = a_terminal(tmp_path, "quiet", force_terminal=False)
    with terminal:
        terminal.say_run(a_run("good"))
        terminal.say_run(failed("bad", "no"))
    terminal.say_end(Tracking(enabled=True, uri=None), [failed("bad", "no")])
    assert written.getvalue().splitlines() == [
        "2/0 bad: failed, ArithmeticError: no",
        "1 run without a result:",
        "  1 x failed, ArithmeticError: no (bad)",
    ]


def test_equal_failures_are_told_once_and_three_commands_follow(tmp_path: Path) -> None:
    terminal, written = a_terminal(tmp_path / "results" / "s", force_terminal=False)
    unfinished = [*(failed(f"run{number}", "no") for number in range(6)), a_run("late", status="pending")]
    terminal.say_end(Tracking(enabled=True, uri=None), unfinished)
    lines = written.getvalue().splitlines()
    assert lines[:3] == [
        "7 runs without a result:",
        "  6 x failed, ArithmeticError: no (run0 and 5 more)",
        "  1 x not begun (late)",
    ]
    commands = lines[lines.index("next:") + 1 :]
    assert [line.partition("bench ")[2].split()[0] for line in commands] == ["report", "failures", "ui"]


def test_a_password_in_the_address_of_mlflow_is_not_said(tmp_path: Path) -> None:
    terminal, written = a_terminal(tmp_path, force_terminal=False)
    terminal.say_end(Tracking(enabled=True, uri="https://me:secret@mlflow.example"), [])
    assert "secret" not in written.getvalue()
    assert "mlflow.example" in written.getvalue()
    assert "effects" in written.getvalue()


def test_a_long_board_shows_its_top_and_its_baselines_and_counts_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    show_board(a_board(40))
    said = capsys.readouterr().out
    names = [line.split()[-3] for line in said.splitlines() if "[" in line and "1.000" in line]
    assert len(names) == MOST_ROWS
    assert "c13" in said
    assert "c14" not in said
    assert "base" in said
    assert "26 more rows: leaderboard.md" in said
    show_board(a_board(40), most=None)
    said = capsys.readouterr().out
    assert "c39" in said
    assert "more rows" not in said


def test_a_plug_in_may_speak_but_the_greetings_of_tensorflow_are_left_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        "I0000 00:00:1795252337.176415   22978 port.cc:153] oneDNN custom operations are on.",
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "my own words",
    ]
    (tmp_path / "talkative_plugin.py").write_text(f"import os\nos.write(2, {chr(10).join([*lines, '']).encode()!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    load_plugin("talkative_plugin")
    assert capfd.readouterr().err == "my own words\n"


def test_what_a_status_says_is_not_said_twice(tmp_path: Path) -> None:
    terminal, written = a_terminal(tmp_path, force_terminal=False)
    late = a_run("late", status="timeout", failure={"kind": "timeout", "message": "the run took longer"})
    terminal.say_run(late)
    terminal.say_end(Tracking(enabled=False, uri=None), [late])
    lines = written.getvalue().splitlines()
    assert lines[0] == "1/0 late: timeout, the run took longer"
    assert lines[2] == "  1 x timed out, the run took longer (late)"
