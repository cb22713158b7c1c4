"""The table of speed figures; nothing is timed here."""

import runpy
from pathlib import Path

import pandas as pd
import pytest

FIGURES = runpy.run_path(str(Path(__file__).with_name("figures.py")))
Work, Figure, Round = FIGURES["Work"], FIGURES["Figure"], FIGURES["Round"]


def figure(data="shapes", seconds=((2.0, 8.0), (1.0, 9.0), (1.0, 2.0)), goal=3.0):
    """Three rounds of ratios 4, 9 and 2."""
    rounds = [Round(ours, theirs) for ours, theirs in seconds]
    return Figure(Work("heads", FIGURES["at_least"](goal), data, "random", 160, 12, 10), rounds)


@pytest.mark.parametrize(("goal", "verdict"), [(4.0, "reached"), (4.1, "MISSED")])
def test_the_median_of_the_rounds_is_held_against_the_goal(goal, verdict):
    assert figure(goal=goal).found == 4
    assert figure(goal=goal).verdict == verdict


def test_a_value_of_ours_alone_must_stay_below_its_bound():
    work = Work("memory", FIGURES["under"](3, "GiB"), "digits", "random", 100, 200, 1)
    assert Figure(work, [Round(2.9)]).verdict == "reached"
    assert Figure(work, [Round(3.0)]).verdict == "MISSED"
    assert Figure(work._replace(goal=None), [Round(3.0)]).verdict == ""


def test_a_row_holds_the_seconds_of_both_sides_and_the_machine(tmp_path):
    FIGURES["keep"]([FIGURES["row"](figure())], FIGURES["KEY"], tmp_path / "table.csv")
    [row] = pd.read_csv(tmp_path / "table.csv", keep_default_na=False).to_dict("records")
    assert (row["ours"], row["plain_keras"], row["rounds"]) == ("2 1 1", "8 9 2", "4 9 2")
    assert (row["pictures"], row["runs"], row["epochs"]) == (160, 12, 10)
    assert row["cores"] >= 1
    assert "tensorflow==" in row["versions"]


def test_only_rows_of_the_same_work_data_and_weights_are_replaced(tmp_path):
    path = tmp_path / "table.csv"
    for one in (figure("flowers"), figure("shapes"), figure("shapes", seconds=((1.0, 7.0),))):
        FIGURES["keep"]([FIGURES["row"](one)], FIGURES["KEY"], path)
    found = pd.read_csv(path).set_index("data")["found"].to_dict()
    assert found == {"flowers": 4.0, "shapes": 7.0}
