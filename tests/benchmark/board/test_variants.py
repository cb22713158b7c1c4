"""Rows whose names are the same are told apart by the values that differ."""

from __future__ import annotations

from typing import Any

from benchmark.board.leaderboard import build, to_csv, to_markdown
from benchmark.board.reading import read_board

PRIMARY = "balanced_accuracy"


def test_rows_of_the_same_names_show_the_keys_that_differ(sweep: Any) -> None:
    wide = sweep.add(0.8, head={"name": "dense", "units": [64], "dropout": 0.3})
    deep = sweep.add(0.8, seeds=(3, 4, 5), head={"name": "dense", "units": [32, 16], "dropout": 0.3})
    plain = sweep.add(0.5, head="linear")
    board = build(sweep.records, sweep.predictions, PRIMARY)
    told = board.table.set_index("candidate")["variant"]
    assert told[wide] == "head.units=[64]"
    assert told[deep] == "head.units=[32,16]"
    assert told[plain] == ""
    assert "| head.units=[64] |" in to_markdown(board)
    assert list(read_board(to_csv(board), "it")["variant"]) == list(board.table["variant"])


def test_a_value_that_the_line_on_training_leaves_out_is_told_too(sweep: Any) -> None:
    sweep.add(0.8, training={"weight_decay": 0.1})
    sweep.add(0.8, seeds=(3, 4, 5), training={"momentum": 0.5})
    table = build(sweep.records, sweep.predictions, PRIMARY).table
    assert sorted(table["variant"]) == [
        "training.momentum=0.0 training.weight_decay=0.1",
        "training.momentum=0.5 training.weight_decay=0.0",
    ]


def test_rows_with_names_of_their_own_need_no_more(sweep: Any) -> None:
    sweep.add(0.8, backbone="lenet")
    sweep.add(0.8, training={"epochs": 9})
    sweep.add(status="crashed", head="b")
    board = build(sweep.records, sweep.predictions, PRIMARY)
    assert set(board.table["variant"]) == {""}
    assert "variant" not in to_markdown(board)
