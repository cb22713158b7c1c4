import numpy as np
import pytest

from benchmark.report.drawing import axis, curve, histogram


def test_an_axis_places_its_values_within_its_ends() -> None:
    values = np.array([130.0, 500.0, 640.0])
    places = axis(values, 40, 600).place(values)
    assert places.min() > 40
    assert places.max() < 600
    assert np.diff(places)[0] / np.diff(places)[1] == pytest.approx(370 / 140)


def test_a_wide_range_is_drawn_in_logarithms() -> None:
    values = np.array([10.0, 100.0, 1000.0])
    found = axis(values, 0, 300)
    assert found.logarithmic
    assert np.diff(found.place(values)) == pytest.approx(np.diff(found.place(values))[0])


@pytest.mark.parametrize("values", [[128.0, 128.0], [1.0, 2.0], [4.0, 9000.0], [299.0, 301.0], [0.5, 1.5]])
def test_an_axis_has_a_few_round_ticks_in_order(values: list[float]) -> None:
    found = axis(np.array(values), 0, 600)
    ticks = found.ticks()
    assert 2 <= len(ticks) <= 13
    assert [tick.at for tick in ticks] == sorted(tick.at for tick in ticks)
    assert all(found.low <= float(tick.text) <= found.high for tick in ticks)


def test_the_tallest_bar_of_a_histogram_fills_its_height() -> None:
    bars = histogram(np.array([1.0, 1, 1, 9]), np.array([0.0, 5, 10]), 100, 30)
    assert [bar.height for bar in bars] == [30, 10]
    assert [bar.y for bar in bars] == [0, 20]
    assert bars[0].text == "0 to 5: 3 pictures"


def test_a_curve_ends_at_the_width_and_touches_the_top() -> None:
    drawn = curve([1.0, 2.0, 4.0], ["a", "b", "c"], 100, 40)
    assert drawn.line == "0.0,30.0 50.0,20.0 100.0,0.0"


def test_a_curve_of_zeros_lies_on_the_ground() -> None:
    assert curve([0.0, 0.0], ["a", "b"], 10, 10).line == "0.0,10.0 10.0,10.0"
