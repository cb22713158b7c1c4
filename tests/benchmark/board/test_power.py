"""Power: which pairs are told of, and that the numbers hold when the data are grown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from benchmark.board.power import POWER_KINDS, Power, power, power_table


def of(sweep: Any, top: int = 5) -> Power:
    return power(sweep.records, sweep.predictions, "balanced_accuracy", top)


def test_only_pairs_that_cannot_be_told_apart_are_listed(sweep: Any) -> None:
    best = sweep.add(0.8, head="a")
    near = sweep.add(0.79, head="b")
    sweep.add(0.3, head="c")
    found = of(sweep)
    assert [{row["better"], row["worse"]} for row in found.table.to_dict("records")] == [{best, near}]
    assert found.sentences[0] == "1 of the 3 pairs among the 3 best rows cannot be told apart."
    assert list(found.table.columns) == list(POWER_KINDS)


def test_a_smaller_gap_needs_more_images(sweep: Any) -> None:
    for skill, name in ((0.8, "a"), (0.77, "b"), (0.79, "c")):
        sweep.add(skill, head=name)
    table = of(sweep).table
    assert len(table) >= 2
    table = table.sort_values("gap")
    needed = table["images_needed_3_seeds"].dropna().tolist()
    assert needed == sorted(needed, reverse=True)


def test_the_seeds_told_do_separate_the_pair_when_they_are_run(sweep_of: Callable[[int, int], Any]) -> None:
    small = sweep_of(120, 1)
    small.add(0.8, head="a")
    small.add(0.76, head="b")
    row = of(small).table.iloc[0]
    assert 3 < row["seeds_needed"] < 60
    grown = sweep_of(120, 1)
    for skill, name in ((0.8, "a"), (0.76, "b")):
        grown.add(skill, head=name, seeds=range(int(1.5 * row["seeds_needed"])))
    assert of(grown).table.empty


def test_one_seed_tells_only_of_images_for_these_weights(sweep: Any) -> None:
    sweep.add(0.8, seeds=(0,), head="a")
    sweep.add(0.79, seeds=(0,), head="b")
    found = of(sweep)
    row = found.table.iloc[0]
    assert row[["seeds_needed", "images_needed_3_seeds"]].isna().all()
    assert any(sentence.startswith("One seed") for sentence in found.sentences)


def test_equal_rows_are_never_separated(sweep: Any) -> None:
    answers = sweep.drawn.answers(0.8, 0)
    for name in ("a", "b"):
        sweep.add(status="pending", seeds=(0,), head=name)
        record = sweep.records[-1].model_copy(update={"status": "ok"})
        sweep.records[-1] = record
        sweep.stored[record.run_id] = answers
    row = of(sweep).table.iloc[0]
    assert row["gap"] == 0
    assert row.drop(["better", "worse", "gap", "seeds", "images"]).isna().all()


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_candidates_make_no_pair(sweep: Any, count: int) -> None:
    for index in range(count):
        sweep.add(0.8, head=f"h{index}")
    found = of(sweep)
    assert found.table.empty
    assert "no pair" in found.sentences[0]


def test_every_pair_has_a_plain_sentence(sweep: Any) -> None:
    for skill, name in ((0.8, "a"), (0.77, "b"), (0.79, "c")):
        sweep.add(skill, head=name)
    found = of(sweep)
    for row in found.table.to_dict("records"):
        [sentence] = [one for one in found.sentences if one.startswith(f"{row['better']} and {row['worse']}")]
        assert "would tell them apart (chance .8)" in sentence or "take them as equal" in sentence
        if row["seeds_needed"]:
            assert f"{row['seeds_needed']} seeds each" in sentence
    assert len(found.table) >= 2


def test_the_table_as_text_has_no_empty_columns_and_even_decimals(sweep: Any) -> None:
    sweep.add(0.8, seeds=(0,), head="a")
    sweep.add(0.77, seeds=(0,), head="b")
    table = power_table(of(sweep))
    assert table.titles[:3] == ("better", "worse", "gap")
    assert "images at 1 seed" in table.titles
    assert "seeds needed" not in table.titles
    assert all(any(column) for column in zip(*table.lines, strict=True))
    assert all(re.fullmatch(r"\.\d{3}", line[2]) for line in table.lines)
    assert power_table(power([], sweep.predictions, "balanced_accuracy", 5)) == ((), ())


def test_what_stands_alone_is_not_told_in_the_plural(sweep: Any) -> None:
    sweep.add(0.8, head="a")
    assert of(sweep).sentences == ("One complete candidate: there is no pair to separate.",)
    sweep.add(0.79, head="b")
    assert of(sweep).sentences[0] == "The two best rows cannot be told apart."
