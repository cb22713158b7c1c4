"""The leaderboard: who stands where, what it says, and that the same results give the same bytes."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from benchmark.board import leaderboard
from benchmark.board.columns import COLUMNS


def build(sweep: Any) -> leaderboard.Leaderboard:
    return leaderboard.build(sweep.records, sweep.predictions, "balanced_accuracy")


def test_twenty_names_of_one_recipe_all_tie(sweep: Any) -> None:
    for index in range(20):
        sweep.add(0.8, seeds=(3 * index, 3 * index + 1, 3 * index + 2), head=f"head{index}")
    board = build(sweep)
    assert board.ranked["tied_with_best"].all()
    assert set(board.ranked["rank_low"]) == {1}
    assert set(board.ranked["rank_high"]) == {20}
    assert board.sentences[0] == "20 of 20 are tied with the best by balanced_accuracy (95 %)."


def test_rows_with_the_same_answers_say_that_they_tell_nothing_of_their_gap(sweep: Any) -> None:
    for weighting in ("none", "balanced"):
        sweep.add(0.8, seeds=(0, 1, 2), weighting=weighting)
    board = build(sweep)
    assert board.ranked["tied_with_best"].all()
    assert board.sentences[1] == (
        "300 test images in 300 groups, 3 seeds: all rows give the same answers, which tells nothing of the gaps "
        "between them."
    )


def test_a_crippled_candidate_is_ranked_below_alone(sweep: Any) -> None:
    for index in range(5):
        sweep.add(0.8, seeds=(3 * index, 3 * index + 1, 3 * index + 2), head=f"head{index}")
    crippled = sweep.add(0.3, backbone="lenet")
    last = build(sweep).ranked.iloc[-1]
    assert last["candidate"] == crippled
    assert (last["rank_low"], last["rank_high"], last["tied_with_best"]) == (6, 6, False)
    assert last["gap_to_best_low"] > 0.3


def test_a_clear_winner_stands_alone(sweep: Any) -> None:
    winner = sweep.add(0.95, backbone="lenet")
    sweep.add(0.6)
    board = build(sweep)
    assert board.ranked["candidate"].iloc[0] == winner
    assert board.sentences[0] == "One of 2 stands alone at the top by balanced_accuracy (95 %)."
    assert board.ranked[["rank_low", "rank_high"]].to_numpy().tolist() == [[1, 1], [2, 2]]


def test_the_same_results_give_the_same_bytes_whatever_order_they_come_in(sweep: Any) -> None:
    for skill, name in ((0.8, "a"), (0.82, "b"), (0.5, "c")):
        sweep.add(skill, head=name)
    sweep.add(status="crashed", head="d")
    first = build(sweep)
    random.Random(0).shuffle(sweep.records)
    again = build(sweep)
    assert leaderboard.to_csv(first) == leaderboard.to_csv(again)
    assert leaderboard.to_markdown(first) == leaderboard.to_markdown(again)


def test_the_csv_has_fixed_columns_and_line_feeds(sweep: Any) -> None:
    sweep.add(0.8)
    text = leaderboard.to_csv(build(sweep))
    lines = text.split("\n")
    assert lines[0] == ",".join(COLUMNS)
    assert lines[0].startswith("schema_version,rank,rank_low,rank_high,tied_with_best,status,backbone,head,")
    assert lines[0].endswith(",candidate")
    assert "\r" not in text
    assert text.endswith("\n")


def test_scores_are_the_mean_over_seeds_of_the_metrics(sweep: Any) -> None:
    sweep.add(0.8)
    row = build(sweep).table.iloc[0]
    for metric in ("balanced_accuracy", "macro_f1", "accuracy", "log_loss", "ece"):
        values = [record.test[metric] for record in sweep.records]
        assert row[f"test_{metric}"] == pytest.approx(np.mean(values), abs=1e-9)
        assert row[f"test_{metric}_seed_sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-9)
        assert row[f"test_{metric}_low"] < row[f"test_{metric}"] < row[f"test_{metric}_high"]


def test_rows_without_a_rank_stand_below_with_their_state(sweep: Any) -> None:
    sweep.add(0.7, head="done")
    half = sweep.add(0.9, head="half", seeds=(0, 1))
    sweep.add(head="half", seeds=(2,), status="pending")
    crashed = sweep.add(head="gone", status="crashed")
    pending = sweep.add(head="later", status="pending")
    board = build(sweep)
    below = board.table[board.table["rank"].isna()]
    assert below["candidate"].tolist() == sorted([half, crashed, pending])
    states = dict(zip(below["candidate"], below["status"], strict=True))
    assert states == {half: "incomplete", crashed: "crashed", pending: "pending"}
    assert "2/3 seeds" in leaderboard.to_markdown(board)
    assert "3 candidates have no rank: 1 crashed, 1 incomplete, 1 pending." in board.sentences
    assert [run.candidate for run in board.failures] == [crashed] * 3


def test_one_seed_speaks_of_these_weights_only(sweep: Any) -> None:
    sweep.add(0.8, seeds=(0,))
    sweep.add(0.7, seeds=(0,), head="other")
    assert any(line.startswith("One seed: the order refers to these weights") for line in build(sweep).sentences)
