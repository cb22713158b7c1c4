"""Diff of two boards: every mark, with and without predictions, and CSV files that were touched."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from benchmark.board.candidates import gather
from benchmark.board.change import Side
from benchmark.board.diff import CannotPair, diff
from benchmark.board.leaderboard import build, to_csv
from benchmark.board.reading import BrokenBoard, OtherSchema, read_board

Sweeps = Callable[[int, int], Any]


def side(sweep: Any) -> Side:
    """A folder's side: table, candidates and predictions."""
    table = build(sweep.records, sweep.predictions, "balanced_accuracy").table
    candidates = {one.name: one for one in gather(sweep.records, "balanced_accuracy")}
    return Side("drawn", table, candidates, sweep.predictions)


def file(sweep: Any) -> Side:
    """A file's side: the table as read back from its CSV."""
    text = to_csv(build(sweep.records, sweep.predictions, "balanced_accuracy"))
    return Side("drawn.csv", read_board(text, "drawn.csv"))


def pair(sweep_of: Sweeps) -> tuple[Any, Any]:
    """Two sweeps: lenet much better, minivgg much worse, shallownet a little better, xception the same, and more."""
    left, right = sweep_of(300, 1), sweep_of(300, 1)
    for name, before, after in (("lenet", 0.6, 0.9), ("minivgg", 0.9, 0.6), ("same", 0.8, 0.8), ("alike", 0.8, 0.81)):
        left.add(before, backbone=name)
        right.add(after, backbone=name)
    left.add(backbone="fixed", status="crashed")
    right.add(backbone="fixed")
    left.add(backbone="broken")
    right.add(backbone="broken", status="oom")
    left.add(backbone="gone")
    right.add(backbone="fresh")
    return left, right


MARKS = {"lenet": "+", "minivgg": "-", "same": "=", "alike": "~", "fixed": "*", "broken": "!", "gone": "gone"}


@pytest.mark.parametrize("seen_as", [side, file])
def test_every_change_has_its_mark(seen_as: Callable[[Any], Side], sweep_of: Sweeps) -> None:
    left, right = pair(sweep_of)
    found = diff(seen_as(left), seen_as(right))
    marks = dict(zip(found.table["backbone"], found.table["mark"], strict=True))
    assert marks == {**MARKS, "fresh": "new"}
    assert found.comparable
    assert found.regressions == 2


def test_with_predictions_the_test_is_paired_and_finds_what_intervals_miss(sweep_of: Sweeps) -> None:
    left, right = sweep_of(300, 1), sweep_of(300, 1)
    left.add(0.75)
    right.add(0.82)
    [with_predictions] = diff(side(left), side(right)).table.to_dict("records")
    [without] = diff(file(left), file(right)).table.to_dict("records")
    assert with_predictions["mark"] == "+"
    assert 0 < with_predictions["difference_low"] < with_predictions["difference"] < with_predictions["difference_high"]
    assert without["mark"] == "~"
    assert "No predictions at hand" in diff(file(left), file(right)).sentences[1]


def test_many_rows_without_a_change_are_rarely_called_changed(sweep_of: Sweeps) -> None:
    left, right = sweep_of(300, 1), sweep_of(300, 1)
    for number in range(20):
        left.add(0.7, seeds=(100 + number, 200 + number, 300 + number), backbone=f"net{number}")
    for number in range(20):
        seeds = (100 + number, 200 + number, 300 + number)
        for seed, record in zip(seeds, left.records[3 * number : 3 * number + 3], strict=True):
            spec = record.spec.model_dump(mode="json")
            right.add_run(spec, right.drawn.answers(0.7, seed + 5000))
    assert set(diff(side(left), side(right)).table["mark"]) == {"~"}


def test_swapping_the_sides_turns_every_mark(sweep_of: Sweeps) -> None:
    left, right = pair(sweep_of)
    turned = {"+": "-", "-": "+", "*": "!", "!": "*", "new": "gone", "gone": "new", "~": "~", "=": "="}
    forth, back = diff(side(left), side(right)).table, diff(side(right), side(left)).table
    marks = dict(zip(back["candidate"], back["mark"], strict=True))
    assert {name: turned[mark] for name, mark in marks.items()} == dict(
        zip(forth["candidate"], forth["mark"], strict=True)
    )


def test_boards_on_other_pictures_are_not_comparable(sweep_of: Sweeps) -> None:
    left, right = sweep_of(300, 1), sweep_of(300, 1)
    left.add()
    right.add()
    changed = [record.model_copy(update={"fingerprint": "e" * 64}) for record in right.records]
    other = build(changed, right.predictions, "balanced_accuracy").table
    found = diff(side(left), Side("other", other))
    assert not found.comparable
    assert list(found.table["mark"]) == ["x"]
    assert found.changes["fingerprint"] == ("f" * 12, "e" * 12)


def test_what_changed_besides_is_named(sweep_of: Sweeps) -> None:
    left, right = sweep_of(300, 1), sweep_of(300, 1)
    left.add()
    right.add(training={"epochs": 9})
    right.records = [record.model_copy(update={"environment": {"commit": "abc"}}) for record in right.records]
    changes = diff(side(left), side(right)).changes
    assert changes["training.epochs"] == ("3", "9")
    assert changes["commit"] == ("-", "abc")


def test_a_board_read_back_is_the_board(sweep: Any) -> None:
    sweep.add(0.9)
    sweep.add(0.8, backbone="lenet", status="oom")
    board = build(sweep.records, sweep.predictions, "balanced_accuracy")
    read = read_board(to_csv(board), "it")
    assert to_csv(type(board)(read, (), (), board.primary)) == to_csv(board)


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        (",true,ok", ",yes,ok", BrokenBoard, "'yes' in line 2 of it, column tied_with_best"),
        (",true,ok", ",true,ok,extra", BrokenBoard, "55 cells in line 2"),
        ("\n2,1,", "\n2,first,", BrokenBoard, "'first' in line 2 of it, column rank"),
        ("\n2,1,", "\n1,1,", OtherSchema, "schema_version 1"),
        ("schema_version,rank,", "schema_version,place,", BrokenBoard, "place"),
        ("schema_version", "version", BrokenBoard, "first column"),
    ],
)
def test_a_touched_file_is_found_out(old: str, new: str, error: type[Exception], message: str, sweep: Any) -> None:
    sweep.add(0.9)
    text = to_csv(build(sweep.records, sweep.predictions, "balanced_accuracy"))
    assert old in text
    with pytest.raises(error, match=message):
        read_board(text.replace(old, new, 1), "it")


def test_a_candidate_that_stands_twice_is_found_out(sweep: Any) -> None:
    sweep.add(0.9)
    text = to_csv(build(sweep.records, sweep.predictions, "balanced_accuracy"))
    with pytest.raises(BrokenBoard, match="in lines 2 and 3"):
        read_board(text + text.splitlines(keepends=True)[1], "it")


def test_another_number_of_seeds_is_told(sweep_of: Sweeps) -> None:
    left, right = sweep_of(300, 1), sweep_of(300, 1)
    for name, count in (("a", 2), ("b", 2), ("c", 3)):
        left.add(backbone=name, seeds=range(3))
        right.add(backbone=name, seeds=range(3 + count))
    left.add(backbone="same")
    right.add(backbone="same")
    for seen_as in (side, file):
        found = diff(seen_as(left), seen_as(right))
        assert "Finished seeds: 3 -> 5 in 2 rows, 3 -> 6 in 1 row" in " ".join(found.sentences)
        assert sorted(found.table["seeds_right"]) == [3, 5, 5, 6]
    assert "Finished seeds" not in " ".join(diff(side(left), side(left)).sentences)


def test_rows_that_differ_in_a_value_only_are_both_kept_on_other_pictures(sweep_of: Sweeps) -> None:
    left, right = sweep_of(300, 1), sweep_of(300, 1)
    for sweep in (left, right):
        sweep.add(0.8, head={"name": "dense", "units": [64]})
        sweep.add(0.8, head={"name": "dense", "units": [32]})
    changed = [record.model_copy(update={"fingerprint": "e" * 64}) for record in right.records]
    other = build(changed, right.predictions, "balanced_accuracy").table
    assert list(diff(side(left), Side("other", other)).table["mark"]) == ["x", "x"]


def faster(sweep_of: Sweeps) -> tuple[Any, Any]:
    """The same two backbones, on the right trained longer: one gains, one loses."""
    left, right = sweep_of(300, 1), sweep_of(300, 1)
    for name, before, after in (("lenet", 0.6, 0.9), ("minivgg", 0.9, 0.6)):
        left.add(before, backbone=name)
        right.add(after, backbone=name, training={"epochs": 9})
    return left, right


@pytest.mark.parametrize("seen_as", [side, file])
def test_other_candidates_are_paired_by_what_they_have_in_common(
    seen_as: Callable[[Any], Side], sweep_of: Sweeps
) -> None:
    left, right = faster(sweep_of)
    unpaired = diff(seen_as(left), seen_as(right))
    assert sorted(unpaired.table["mark"]) == ["gone", "gone", "new", "new"]
    assert "--by backbone,head" in " ".join(unpaired.sentences)
    found = diff(seen_as(left), seen_as(right), ["backbone", "head"])
    assert dict(zip(found.table["backbone"], found.table["mark"], strict=True)) == {"lenet": "+", "minivgg": "-"}
    assert set(found.table["candidate_left"]) == {record.candidate for record in left.records}
    assert set(found.table["candidate"]) == {record.candidate for record in right.records}
    assert "Paired by backbone, head: 2 rows on both sides, 2 of them other candidates." in found.sentences


def test_pairs_of_other_candidates_are_tested_like_pairs_of_the_same(sweep_of: Sweeps) -> None:
    left, right, same = sweep_of(300, 1), sweep_of(300, 1), sweep_of(300, 1)
    left.add(0.75)
    same.add(0.82)
    right.add(0.82, training={"epochs": 9})
    columns = ["mark", "difference", "difference_low", "difference_high", "p_value"]
    [other] = diff(side(left), side(right), ["backbone"]).table[columns].to_dict("records")
    [twin] = diff(side(left), side(same)).table[columns].to_dict("records")
    assert other == twin


def test_rows_that_cannot_be_told_apart_are_not_paired(sweep_of: Sweeps) -> None:
    left, right = faster(sweep_of)
    right.add(0.8, weighting="balanced", backbone="lenet", training={"epochs": 9})
    with pytest.raises(CannotPair, match=r"two rows with backbone=lenet in drawn, .*; expected one: add weighting, in"):
        diff(side(left), side(right), ["backbone"])
    assert len(diff(side(left), side(right), ["backbone", "weighting"]).table) == 3


@pytest.mark.parametrize("seeds", [(0, 1, 2), (7,)])
def test_a_row_without_a_score_gives_way_to_its_twin(seeds: tuple[int, ...], sweep_of: Sweeps) -> None:
    left, right = faster(sweep_of)
    whole = diff(side(left), side(right), ["backbone"])
    right.add(backbone="lenet", status="failed", weighting="balanced", seeds=seeds)
    left.add(backbone="minivgg", status="failed", training={"epochs": 2}, seeds=seeds)
    columns = ["backbone", "mark", "difference", "p_value", "candidate", "candidate_left"]
    pd.testing.assert_frame_equal(diff(side(left), side(right), ["backbone"]).table[columns], whole.table[columns])


def test_an_unknown_column_to_pair_by_is_said(sweep_of: Sweeps) -> None:
    left, right = faster(sweep_of)
    with pytest.raises(CannotPair, match="found colour to pair rows by; expected some of backbone, head"):
        diff(side(left), side(right), ["colour"])
