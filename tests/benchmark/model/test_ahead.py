import threading
import time
from collections.abc import Iterator

import pytest

from benchmark.model.ahead import ahead


def test_results_come_in_order_even_if_later_work_is_done_first() -> None:
    def work(item: int) -> int:
        time.sleep(0.02 * (item % 3 == 0))
        return item * item

    assert list(ahead(work, range(20), 3)) == [item * item for item in range(20)]


def test_no_more_is_begun_before_its_turn_than_there_are_threads() -> None:
    drawn, drawers = list[int](), set[int]()

    def items() -> Iterator[int]:
        for item in range(6):
            drawn.append(item)
            drawers.add(threading.get_ident())
            yield item

    results = ahead(lambda item: item, items(), 2)
    assert not drawn
    for done in range(1, 7):
        next(results)
        assert len(drawn) == min(done + 2, 6)
    assert drawers == {threading.get_ident()}


def test_work_on_two_items_happens_at_once() -> None:
    both = threading.Barrier(2, timeout=10)
    assert len(set(ahead(lambda _: both.wait(), range(6), 2))) == 2


def test_the_error_of_the_work_ends_the_results() -> None:
    def work(item: int) -> float:
        return 1 / (item - 2)

    results = ahead(work, range(5), 2)
    assert [next(results), next(results)] == [-0.5, -1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)
