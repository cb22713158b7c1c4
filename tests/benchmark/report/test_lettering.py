import itertools

import numpy as np

from benchmark.report.lettering import LETTER, LINE, beside


def boxes(labels: list[str], places: list[tuple[float, float] | None]) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of the labels that have a place."""
    known = [(label, place) for label, place in zip(labels, places, strict=True) if place]
    return [(x, y - LINE + 2, x + LETTER * len(label), y + 2) for label, (x, y) in known]


def test_no_label_covers_another_or_a_marker_or_leaves_the_drawing() -> None:
    markers = [(float(x), float(y)) for x, y in np.random.default_rng(0).uniform(60, 200, (40, 2))]
    labels = [str(place) for place in range(1, 41)]
    found = boxes(labels, list(beside(markers, labels, 200)))
    assert len(found) > 10
    for one, other in itertools.combinations(found, 2):
        assert (
            one[2] <= other[0] + 0.1 or other[2] <= one[0] + 0.1 or one[3] <= other[1] + 0.1 or other[3] <= one[1] + 0.1
        )
    assert max(right for _, _, right, _ in found) <= 200
    for left, top, right, bottom in found:
        assert not [1 for x, y in markers if left < x < right and top < y < bottom]


def test_a_marker_with_room_has_its_label_on_its_right_above() -> None:
    [place] = beside([(100, 100)], ["7"], 500)
    assert place is not None
    assert place.x > 100 > place.y


def test_at_the_right_end_a_label_stands_on_the_left() -> None:
    [place] = beside([(100, 100)], ["17"], 103)
    assert place is not None
    assert place.x + 2 * LETTER < 100


def test_of_markers_at_one_spot_the_first_ones_get_the_four_corners() -> None:
    found = beside([(100, 100)] * 5, ["1", "2", "3", "4", "5"], 500)
    assert len({place for place in found[:4] if place}) == 4
    assert found[4] is None


def test_what_has_no_label_needs_no_place() -> None:
    assert beside([(1, 1), (2, 2)], ["", ""], 9) == [None, None]
    assert beside([], [], 9) == []
