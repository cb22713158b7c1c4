"""Costs: what is said of each candidate, the fronts, and that leaderboard.csv stays free of them."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pytest

from benchmark.board import leaderboard
from benchmark.board.cost_tables import compact_costs
from benchmark.board.costs import COST_COLUMNS, cheapest, costs, with_prices
from benchmark.records import Latency

PRIMARY = "balanced_accuracy"


def build(sweep: Any) -> leaderboard.Leaderboard:
    return leaderboard.build(sweep.records, sweep.predictions, PRIMARY)


def spend(sweep: Any, candidate: str, *, trainable: int, flops: int, milliseconds: float, seconds: float) -> None:
    """Change what the runs of a candidate took; every run is a tenth slower than the one before."""
    for place, record in enumerate(sweep.records):
        if record.candidate != candidate:
            continue
        slower = 1 + record.seed / 10
        latency = Latency(
            batch_1_p50=milliseconds * slower,
            batch_1_p95=2 * milliseconds,
            batch_32_p50=10 * milliseconds,
            batch_32_p95=20 * milliseconds,
        )
        cost = record.cost.model_copy(update={"latency": latency, "seconds_train": seconds * slower})
        sizes = record.parameters.model_copy(update={"trainable": trainable, "flops": flops})
        environment = {"gpu": "H200", "cores": 2}
        changed = {"cost": cost, "parameters": sizes, "environment": environment}
        sweep.records[place] = record.model_copy(update=changed)


@pytest.fixture
def priced(sweep: Any) -> Any:
    """Two equal candidates, one small but slow, and a bad one that costs most."""
    small = sweep.add(0.8, seeds=(0, 1, 2), head="small")
    fast = sweep.add(0.8, seeds=(3, 4, 5), head="fast")
    bad = sweep.add(0.3, head="bad")
    spend(sweep, small, trainable=10, flops=1_000_000, milliseconds=9, seconds=50)
    spend(sweep, fast, trainable=500, flops=7_000_000, milliseconds=1, seconds=5)
    spend(sweep, bad, trainable=900, flops=9_000_000, milliseconds=20, seconds=90)
    sweep.names = {"small": small, "fast": fast, "bad": bad}
    return sweep


def test_milliseconds_are_medians_and_seconds_means_over_the_runs(priced: Any) -> None:
    table = costs(priced.records, build(priced)).set_index("candidate")
    row = table.loc[priced.names["small"]]
    assert row["latency_ms_batch_1_p50"] == pytest.approx(9 * 1.1)
    assert row["latency_ms_batch_32_p95"] == pytest.approx(180)
    assert row["seconds_train_mean"] == pytest.approx(50 * 1.1)
    assert (row["gpu"], row["path"], row["batch_size_effective"]) == ("H200", "whole", "64")


def test_a_row_is_on_the_front_of_the_costs_by_which_nobody_is_better_and_cheaper(priced: Any) -> None:
    board = build(priced)
    table = costs(priced.records, board).set_index("candidate")
    scores = board.table.set_index("candidate")[f"test_{PRIMARY}"]
    small, fast, bad = (priced.names[name] for name in ("small", "fast", "bad"))
    better = small if scores[small] > scores[fast] else fast
    fronts = [name for name in COST_COLUMNS if name.startswith("on_front_")]
    assert len(fronts) == 4
    assert not table.loc[bad, fronts].any()
    assert table.loc[better, fronts].all()
    for column, cheap in zip(fronts, (small, small, fast, fast), strict=True):
        assert table.loc[cheap, column]


def test_the_cheapest_tied_row_is_named_by_each_cost(priced: Any) -> None:
    [sentence] = cheapest(costs(priced.records, build(priced)))
    small, fast = priced.names["small"], priced.names["fast"]
    assert f"{small} by trainable parameters (10) and FLOPs (1.0 million a picture)" in sentence
    assert f"{fast} by latency (1.4 ms for one picture) and training time (7 s a run)" in sentence
    assert sentence.startswith("Cheapest of the 2 rows tied with the best: ")


def test_one_sentence_alone_names_the_cheapest_rows_once_all_costs_are_known(priced: Any) -> None:
    board = build(priced)
    told = with_prices(board.sentences, costs(priced.records, board))
    assert [line.split(":")[0] for line in board.sentences if "Cheapest" in line] == ["Cheapest row tied with the best"]
    assert [line.split(":")[0] for line in told if "Cheapest" in line] == ["Cheapest of the 2 rows tied with the best"]
    assert set(board.sentences) - set(told) == {line for line in board.sentences if "Cheapest" in line}
    assert with_prices(board.sentences, costs(priced.records)) == list(board.sentences)


def test_a_cost_that_is_not_known_of_all_tied_rows_names_nobody(priced: Any) -> None:
    place = next(i for i, one in enumerate(priced.records) if one.candidate == priced.names["fast"])
    for index in range(place, place + 3):
        record = priced.records[index]
        blank = record.cost.model_copy(update={"latency": None})
        priced.records[index] = record.model_copy(update={"cost": blank})
    [sentence] = cheapest(costs(priced.records, build(priced)))
    assert "latency" not in sentence
    assert "training time" in sentence


def test_without_a_board_nobody_is_tied_or_on_a_front(priced: Any) -> None:
    table = costs(priced.records)
    assert table[[name for name in COST_COLUMNS if name.startswith(("tied", "on_front"))]].isna().all(axis=None)
    assert cheapest(table) == []


def test_the_leaderboard_does_not_change_with_the_machine(priced: Any) -> None:
    before = leaderboard.to_csv(build(priced)), leaderboard.to_markdown(build(priced))
    for place, record in enumerate(priced.records):
        slow = record.cost.model_copy(update={"seconds_train": 1e6, "latency": None, "peak_memory_mb": 1e6})
        priced.records[place] = record.model_copy(update={"cost": slow, "environment": {"gpu": "none"}})
    assert (leaderboard.to_csv(build(priced)), leaderboard.to_markdown(build(priced))) == before


def test_the_table_for_people_has_the_boards_order_and_names_the_fronts(priced: Any) -> None:
    board = build(priced)
    text = compact_costs(board, costs(priced.records, board))
    lines = [dict(zip(text.titles, line, strict=True)) for line in text.lines]
    assert [line["rank"] for line in lines] == ["1-2", "1-2", "3"]
    small = next(line for line in lines if line["head"] == "small")
    assert (small["trainable"], small["MFLOPs"], small["1 picture ms"]) == ("10", "1.0", "9.9 / 18")
    assert lines[-1]["front"] == ""
    assert "parameters" in small["front"]


def test_runs_csv_has_a_column_for_each_latency_and_none_where_it_was_not_measured(priced: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(leaderboard.runs_csv(priced.records))))
    assert sorted({row["cost_latency_batch_1_p95"] for row in rows}) == ["18.000", "2.000", "40.000"]
    blank = [one.model_copy(update={"cost": one.cost.model_copy(update={"latency": None})}) for one in priced.records]
    assert "latency" not in leaderboard.runs_csv(blank)


def test_a_baseline_or_a_pending_row_has_a_line_without_amounts(priced: Any) -> None:
    pending = priced.add(status="pending", head="later")
    board = build(priced)
    table = costs(priced.records, board)
    row = table.set_index("candidate").loc[pending]
    assert row["n_runs"] == 0
    assert np.isnan(row["seconds_train_mean"])
    lines = compact_costs(board, table).lines
    assert len(lines) == 4
    assert "pending" in lines[-1]


def test_a_latency_that_was_measured_beside_other_work_is_said(priced: Any) -> None:
    place = next(i for i, one in enumerate(priced.records) if one.candidate == priced.names["fast"])
    record = priced.records[place]
    assert not [line for line in with_prices([], costs(priced.records, build(priced))) if "measured while" in line]
    disturbed = record.cost.model_copy(update={"latency": record.cost.latency.model_copy(update={"others": 0.45})})
    priced.records[place] = record.model_copy(update={"cost": disturbed})
    table = costs(priced.records, build(priced)).set_index("candidate")
    assert table.loc[priced.names["fast"], "latency_others_share"] == 0.45
    said = with_prices([], table.reset_index())[-1]
    assert said.startswith("The latency of 1 row was measured while other processes used up to 45% of the processors")
