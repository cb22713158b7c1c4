from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmark import store
from benchmark.board import leaderboard
from benchmark.board.candidates import gather
from benchmark.board.change import Side
from benchmark.board.diff import diff
from benchmark.cli import run
from benchmark.report.diff import diff_page


def side(sweep: Any, records: list[Any]) -> Side:
    def load(record: Any) -> Any:
        return store.load_predictions(sweep.directory, record.run_id)

    table = leaderboard.build(records, load, "balanced_accuracy").table
    return Side("a side", table, {one.name: one for one in gather(records, "balanced_accuracy")}, load)


def test_the_page_shows_each_candidate_with_what_became_of_it(sweep: Any, read: Callable[[str], Any]) -> None:
    records = sweep.records()
    gone = [record for record in records if "balanced" not in record.run_id]
    page = read(diff_page(diff(side(sweep, records), side(sweep, gone)), "old <b>", "new"))
    assert "old <b> → new" in page.text
    assert "only on the left" in page.text
    assert "same" in page.text
    assert "b" not in page.values("class")


def test_two_empty_boards_have_a_page(sweep: Any, read: Callable[[str], Any]) -> None:
    empty = Side("empty", leaderboard.build([], partial(store.load_predictions, Path()), "accuracy").table)
    page = read(diff_page(diff(empty, empty), "a", "b"))
    assert "Nothing to show." in page.text


def test_bench_diff_writes_the_page_beside_what_it_prints(
    sweep: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], read: Callable[[str], Any]
) -> None:
    directory = str(sweep.directory)
    assert run(["diff", directory, directory, "--html", str(tmp_path / "out.html"), "-f", "csv"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("mark,")
    assert "wrote" in printed.err
    assert "same" in read((tmp_path / "out.html").read_text("utf-8")).text
