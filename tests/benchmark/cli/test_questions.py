"""bench effects, power and diff on the committed reference board, as a person calls them."""

import json
import shutil
from pathlib import Path

import pytest

from benchmark import store
from benchmark.cli import run

REFERENCE = Path(__file__).resolve().parents[3] / "results" / "reference" / "quickstart"
FORMATS = ["table", "markdown", "csv", "json"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("command", ["effects", "power"])
def test_a_question_is_answered_in_every_form(command: str, format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, str(REFERENCE), "-f", format]) == 0
    said = capsys.readouterr().out
    assert "balanced" in said
    if format == "json":
        assert json.loads(said)["primary"] == "balanced_accuracy"


def test_effects_pair_what_differs_in_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    run(["effects", str(REFERENCE), "-f", "json"])
    effects = [row for row in json.loads(capsys.readouterr().out)["effects"] if row["class"] == ""]
    found = {(row["axis"], row["level"], row["reference"], row["backbone"]): row["pairs"] for row in effects}
    assert len(found) == 4
    assert found["weighting", "balanced", "none", "lenet"] == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["effects", str(REFERENCE), "--reference", "weighting"], 1, "expected AXIS=LEVEL"),
        (["effects", str(REFERENCE), "--reference", "weighting=no"], 1, "expected one of balanced, none"),
        (["power", "nowhere"], 1, "nowhere"),
        (["diff", str(REFERENCE), "nowhere"], 1, "found no nowhere"),
        (["diff", str(REFERENCE), str(REFERENCE), "--by", "colour"], 1, "found colour to pair rows by"),
        (["diff", str(REFERENCE), str(REFERENCE), "--by", "backbone"], 1, "add weighting, in which they differ"),
    ],
)
def test_a_mistake_gets_one_sentence(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("format", FORMATS)
def test_a_board_does_not_differ_from_itself(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    csv = str(REFERENCE / "leaderboard.csv")
    for left, right in ((str(REFERENCE), str(REFERENCE)), (csv, csv), (str(REFERENCE), csv)):
        assert run(["diff", left, right, "-f", format, "--fail-on", "regression"]) == 0
        assert "shallownet" in capsys.readouterr().out


def test_a_run_that_broke_is_a_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "quickstart"
    shutil.copytree(REFERENCE, broken)
    [run_directory] = broken.glob("runs/lenet-*-balanced-*-s1-*")
    store.write_record(broken, store.load_record(run_directory).model_copy(update={"status": "crashed"}))
    assert run(["diff", str(REFERENCE), str(broken), "--only-changed", "--fail-on", "regression"]) == 4
    assert "ok -> incomplete" in capsys.readouterr().out
    assert run(["diff", str(REFERENCE), str(broken)]) == 0


def test_a_new_file_is_all_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "/dev/null", str(REFERENCE / "leaderboard.csv")]) == 0
    assert "8 only on the right (new)" in capsys.readouterr().out


def test_rows_are_paired_by_the_named_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", str(REFERENCE), str(REFERENCE), "--by", "backbone, weighting"]) == 0
    assert "Paired by backbone, weighting: 8 rows on both sides, 0 of them other candidates." in capsys.readouterr().out
