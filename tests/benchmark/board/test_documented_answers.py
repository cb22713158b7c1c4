"""Odd boards have a documented answer: empty ones, one candidate, one image a class, hostile names."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from benchmark.board import leaderboard
from benchmark.board.costs import COST_COLUMNS
from benchmark.board.reading import read_board
from benchmark.board.sentences import change_text, score_text
from benchmark.records import Parameters

PRIMARY = "balanced_accuracy"


def build(sweep: Any) -> leaderboard.Leaderboard:
    return leaderboard.build(sweep.records, sweep.predictions, PRIMARY)


def test_an_empty_board_says_so(sweep: Any) -> None:
    board = build(sweep)
    assert board.sentences == ("No runs yet.",)
    assert leaderboard.to_csv(board).count("\n") == 1


def test_a_board_of_failures_lists_them(sweep: Any) -> None:
    sweep.add(status="oom")
    board = build(sweep)
    assert board.sentences[0] == "No candidate is complete: there is nothing to rank."
    assert "OutOfMemory: found too little memory" in leaderboard.to_markdown(board)


def test_one_candidate_is_alone_on_rank_1(sweep: Any) -> None:
    sweep.add()
    board = build(sweep)
    row = board.table.iloc[0]
    assert (row["rank_low"], row["rank_high"], row["tied_with_best"]) == (1, 1, True)
    assert row["gap_to_best_high"] == 0
    assert board.sentences[0] == "One candidate: there is nothing to compare it with."


def test_one_image_a_class_separates_nobody_and_says_why(sweep_of: Callable[[int, int], Any]) -> None:
    sweep = sweep_of(300, 1)
    drawn = sweep.drawn
    one_each = [int((drawn.truth == label).argmax()) for label in range(3)]
    sweep.drawn = type(drawn)(*(column[one_each] for column in drawn))
    sweep.add(1.5, head="always_right")
    sweep.add(0.0, head="mostly_wrong")
    board = build(sweep)
    assert board.ranked["rank_high"].tolist() == [2, 2]
    assert any("rarest class has 1 test group" in sentence for sentence in board.sentences)


def test_names_with_bars_and_line_ends_stay_inside_their_cells(sweep: Any) -> None:
    sweep.add(0.8, head="a|b\n<script>`*")
    sweep.add(0.7, head="plain")
    text = leaderboard.to_markdown(build(sweep))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    bars = {line.replace("\\|", "").count("|") for line in lines}
    assert len(bars) == 1
    assert "<script>" not in text


def test_what_is_written_is_what_is_read(sweep: Any) -> None:
    sweep.add(0.8, head='quoted "a", b')
    sweep.add(0.7, seeds=(0,), head="two\nlines")
    sweep.add(status="crashed", head="c")
    text = leaderboard.to_csv(build(sweep))
    again = leaderboard.Leaderboard(read_board(text, "leaderboard.csv"), (), (), PRIMARY)
    assert leaderboard.to_csv(again) == text


def test_costs_have_a_row_for_every_candidate_and_empty_cells_for_the_unknown(sweep: Any) -> None:
    done = sweep.add(0.8, head="a")
    gone = sweep.add(status="crashed", head="b")
    header, first, second = csv.reader(io.StringIO(leaderboard.costs_csv(sweep.records)))
    assert tuple(header) == COST_COLUMNS
    costs = dict(zip(header, first, strict=True))
    assert costs["candidate"] == done
    assert (costs["seconds_train_mean"], costs["epochs"]) == ("10.000", "3 3 3")
    assert second[:2] == [gone, "0"]
    assert set(second[2:]) == {""}


def test_runs_have_a_row_for_every_run_with_its_spec_metrics_and_failure(sweep: Any) -> None:
    sweep.add(0.8, seeds=(0, 1), training={"epochs": 7})
    sweep.add(seeds=(0,), status="timeout", head="b")
    rows = list(csv.DictReader(io.StringIO(leaderboard.runs_csv(sweep.records))))
    assert len(rows) == 3
    by_state = {row["status"]: row for row in rows}
    assert by_state["ok"]["spec.training.epochs"] == "7"
    assert by_state["ok"]["test_accuracy"] == f"{sweep.records[1].test['accuracy']:.6f}"
    assert by_state["timeout"]["failure_message"] == "found too little memory"
    assert by_state["timeout"]["test_accuracy"] == ""


def test_the_cheapest_of_the_tied_rows_is_named(sweep: Any) -> None:
    sweep.add(0.8, seeds=(0, 1, 2), head="big")
    small = sweep.add(0.8, seeds=(3, 4, 5), head="small")
    sweep.records = [
        record.model_copy(update={"parameters": record.parameters.model_copy(update={"flops": 1_000_000})})
        if record.candidate == small
        else record
        for record in sweep.records
    ]
    board = build(sweep)
    assert any(line.startswith(f"Cheapest row tied with the best: {small} (1.0 MFLOPs") for line in board.sentences)
    assert board.table.set_index("candidate").loc[small, "on_front"]


def test_no_row_is_called_cheapest_where_all_tied_rows_are_of_one_size(sweep: Any) -> None:
    sweep.add(0.8, seeds=(0, 1, 2), head="a")
    sweep.add(0.8, seeds=(3, 4, 5), head="b")
    board = build(sweep)
    assert board.ranked["tied_with_best"].all()
    assert not any("Cheapest" in sentence for sentence in board.sentences)


def test_the_row_with_fewest_trainable_parameters_is_named_beside_that_with_fewest_flops(sweep: Any) -> None:
    frozen = sweep.add(0.8, seeds=(0, 1, 2), head="frozen")
    small = sweep.add(0.8, seeds=(3, 4, 5), head="small")
    sizes = {frozen: {"trainable": 5, "flops": 9_000_000}, small: {"trainable": 70, "flops": 1_000_000}}
    sweep.records = [
        one.model_copy(update={"parameters": one.parameters.model_copy(update=sizes[one.candidate])})
        for one in sweep.records
    ]
    [sentence] = [line for line in build(sweep).sentences if line.startswith("Cheapest")]
    assert sentence.startswith(f"Cheapest row tied with the best: {small} (1.0 MFLOPs")
    assert sentence.endswith(f"; fewest trainable parameters: {frozen} (5).")


def test_rows_that_cost_the_same_are_not_named_singly(sweep: Any) -> None:
    for weighting in ("none", "balanced", "focal"):
        sweep.add(0.8, weighting=weighting)
    sweep.add(0.8, backbone="large")
    large = {"total": 5000, "trainable": 4000, "features": 64, "flops": 9_000_000}
    sweep.records = [
        record.model_copy(update={"parameters": Parameters(**large)})
        if record.spec.backbone.name == "large"
        else record
        for record in sweep.records
    ]
    [line] = [line for line in build(sweep).sentences if line.startswith("Cheapest row")]
    assert " and 2 more (5.0 MFLOPs" in line


def test_nothing_is_written_as_minus_nothing() -> None:
    assert [score_text(value) for value in (-0.0002, 0.0, -0.0006, 0.9996)] == [".000", ".000", "-.001", "1.000"]
    assert [change_text(value) for value in (0.0, -1e-17, 0.02, -0.02, 1.0)] == [
        ".000",
        ".000",
        "+.020",
        "-.020",
        "+1.000",
    ]


def test_a_difference_too_small_to_show_still_says_its_side_of_nothing() -> None:
    assert [change_text(value) for value in (-0.0002, 0.0002, 0.00001)] == ["-.000", "+.000", "+.000"]
