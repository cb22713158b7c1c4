import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import benchmark
from benchmark import load_leaderboard, load_predictions, load_runs, store
from benchmark.board.columns import COLUMNS, SHOWN_METRICS
from benchmark.report.frames import PREDICTION_COLUMNS, NoSuchRun


def test_the_leaderboard_has_the_columns_of_its_file_and_a_row_a_candidate(sweep: Any) -> None:
    board = load_leaderboard(sweep.directory)
    assert tuple(board.columns) == COLUMNS
    assert board["candidate"].nunique() == len(board) == 4


def test_runs_hold_every_record_with_its_options(sweep: Any) -> None:
    runs = load_runs(str(sweep.directory)).set_index("run_id")
    assert sorted(runs.index) == [record.run_id for record in sweep.records()]
    for record in sweep.records():
        row = runs.loc[record.run_id]
        assert row["status"] == record.status
        if record.finished:
            assert row["test_accuracy"] == pytest.approx(record.test["accuracy"], abs=1e-6)
    trained = runs[runs["spec.backbone.name"].notna()]
    assert set(trained["spec.weighting.name"]) == {"none", "balanced"}
    assert trained["spec.training.epochs"].dtype == "Int64"


def test_predictions_hold_a_row_for_each_run_and_picture(sweep: Any) -> None:
    answers = load_predictions(sweep.directory)
    assert tuple(answers.columns) == (*PREDICTION_COLUMNS, "p_ant", "p_bee", "p_cat")
    assert len(answers) == 5 * 90
    shares = answers.groupby("run_id")["right"].mean()
    for record in sweep.records():
        if record.finished:
            assert shares[record.run_id] == pytest.approx(record.test["accuracy"])
    probabilities = answers[["p_ant", "p_bee", "p_cat"]].to_numpy()
    truth = answers["truth"].cat.codes.to_numpy()
    assert answers["probability_of_truth"].to_numpy() == pytest.approx(probabilities[np.arange(len(truth)), truth])
    assert set(answers["path"]) == {"noise.png"}


def test_some_runs_and_the_validation_split_can_be_asked_for(sweep: Any) -> None:
    run_id = next(record.run_id for record in sweep.records() if record.finished and record.val)
    answers = load_predictions(sweep.directory, [run_id], split="val")
    assert set(answers["run_id"]) == {run_id}
    stored = store.load_predictions(sweep.directory, run_id, "val")
    assert answers["image"].tolist() == stored.images.tolist()


def test_mistakes_are_said(sweep: Any) -> None:
    with pytest.raises(NoSuchRun, match="found no finished run 'nobody' in"):
        load_predictions(sweep.directory, ["nobody"])
    with pytest.raises(NoSuchRun, match="found split='train'; expected one of test, val"):
        load_predictions(sweep.directory, split="train")
    with pytest.raises(store.NoSuchSweep, match="found no folder"):
        load_runs(sweep.directory / "nowhere")
    (sweep.directory / "empty").mkdir()
    with pytest.raises(store.NoSuchSweep, match="found no run in"):
        load_leaderboard(sweep.directory / "empty")


def test_importing_the_package_loads_nothing_and_knows_its_functions() -> None:
    code = "import sys, benchmark; assert not {'pandas', 'numpy', 'keras'} & set(sys.modules); print(benchmark.__all__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['load_leaderboard', 'load_predictions', 'load_runs']"
    with pytest.raises(AttributeError, match="has no attribute 'load_everything'"):
        benchmark.load_everything  # noqa: B018 - the access is what fails


def names_of(function: Any) -> set[str]:
    """What stands in backticks in the help text."""
    return set(re.findall(r"`([^`\s]+)`", function.__doc__))


def is_named(column: str, names: set[str]) -> bool:
    """Whether a name is the column's, or one like `test_<metric>` fits it."""
    return any(re.fullmatch(re.sub(r"<\w+>", ".+", name.replace(".", r"\.")), column) for name in names)


@pytest.mark.parametrize("load", [load_leaderboard, load_runs, load_predictions])
def test_the_help_text_names_every_column(sweep: Any, load: Any) -> None:
    names = names_of(load)
    assert [column for column in load(sweep.directory).columns if not is_named(column, names)] == []


def test_the_help_text_names_every_column_that_is_no_metric_by_itself() -> None:
    plain = {column for column in COLUMNS if not column.startswith("test_")}
    assert plain <= names_of(load_leaderboard)
    text = load_leaderboard.__doc__
    assert text is not None
    assert all(metric in text for metric in SHOWN_METRICS)


def test_the_help_text_names_what_only_baselines_have_and_the_type_of_empty_columns(sweep: Any) -> None:
    runs = load_runs(sweep.directory)
    of_a_baseline = runs[runs["candidate"].str.startswith("baseline")].dropna(axis="columns", how="all")
    options = {column for column in of_a_baseline if column.startswith("spec.")}
    assert options == {"spec.baseline", "spec.dataset", "spec.image_size"}
    assert options | {"spec.fold"} <= names_of(load_runs)
    empty = runs.columns[runs.isna().all()]
    assert "spec.fold" in empty
    assert {str(runs[column].dtype) for column in empty} == {"Int64"}
