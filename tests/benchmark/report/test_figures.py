import contextlib
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmark import store
from benchmark.errors import ConfigurationError
from benchmark.report.figure_files import require_format, write_figures
from benchmark.report.palette import SERIES, SERIES_IN_THE_DARK, SHADES, ink, rgb, shade
from benchmark.report.plots import Dots, Heat, Line, Mark, Plot, Span
from benchmark.report.svg import svg, svg_file

HOSTILE = '<img src=x onerror="alert(1)">&\u202e\x00$x^$'
SVG = "{http://www.w3.org/2000/svg}"

PLOT = Plot(
    f"title {HOSTILE}", f"summary {HOSTILE}", "x", "y",
    (Line(HOSTILE, (1, 2, 30), (0.5, float("nan"), 0.7), 0, marked=True), Line("b", (1,), (0.2,), 1, dashed=True)),
    (Dots("c", (10.0,), (0.3,), (HOSTILE,), 2, (Span(10, 0.2, 10, 0.4),), ("1",)),),
    (Mark(2, HOSTILE),), x_logarithmic=True,
)  # fmt: skip
NAMED = Plot("names", "s", "x", "", dots=(Dots("p", (0.2, 0.9), (0, 1), ("a", "b"), 0),), y_names=(HOSTILE, "n" * 300))
HEAT = Heat("h", HOSTILE, "row", "column", (HOSTILE, "b"), ("c",), np.array([[0.5], [np.nan]]), (("1",), ("",)))


@pytest.mark.parametrize("figure", [PLOT, NAMED, HEAT])
def test_a_file_is_well_formed_says_what_it_shows_and_holds_no_markup_of_others(figure: Plot | Heat) -> None:
    root = ET.fromstring(svg_file(figure))
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}desc") is not None
    assert {element.tag.removeprefix(SVG) for element in root.iter()}.isdisjoint({"img", "script", "image"})


def test_values_are_drawn_where_the_axes_say() -> None:
    plot = Plot("t", "s", "x", "y", (Line("a", (0, 1), (0, 1), 0),), x_range=(0, 1), y_range=(0, 1))
    root = ET.fromstring(svg_file(plot))
    line = root.find(f".//{SVG}polyline")
    assert line is not None
    (x0, y0), (x1, y1) = (map(float, point.split(",")) for point in line.get("points", "").split())
    assert x0 < x1
    assert y0 > y1


def test_what_is_unknown_leaves_a_gap_and_an_empty_plot_is_still_a_plot() -> None:
    assert "nan" not in svg_file(PLOT)
    assert "<svg" in svg(Plot("empty", "nothing", "x", "y"))


def test_on_a_page_a_plot_carries_no_styles_and_no_namespace_of_its_own() -> None:
    assert "<style" not in svg(PLOT)
    assert "xmlns" not in svg(PLOT)


@pytest.mark.parametrize(("format", "magic"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_figures_are_written_in_every_format(tmp_path: Path, format: str, magic: bytes) -> None:
    paths = write_figures(tmp_path, {"plot": PLOT, "names": NAMED, "heat": HEAT}, require_format(format))
    assert [path.name for path in paths] == [f"{name}.{format}" for name in ("plot", "names", "heat")]
    assert all(path.read_bytes().startswith(magic) for path in paths)


def test_marks_and_numbers_are_written_in_plain_text_without_covering_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Matplotlib's own marks of logarithms would need the math parser, which would also read the names of classes."""
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda sheet, *_, **__: drawn.append(sheet))
    monkeypatch.setattr(store, "replacing", lambda path: contextlib.nullcontext(path))
    dots = Dots("c", (10.0, 10.1, 2000.0), (0.3, 0.3, 0.9), ("", "", ""), 2, labels=("1", "2", "3"))
    write_figures(tmp_path, {"plot": Plot("t", "s", "x", "y", dots=(dots,), x_logarithmic=True)}, "png")
    [sheet] = drawn
    [axes] = sheet.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10", "30", "100", "300", "1000"]
    one, two, three = (text.get_window_extent() for text in axes.texts)
    assert not one.overlaps(two)
    assert not two.overlaps(three)


def test_another_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"found figures\.format=gif; expected svg, png, pdf"):
        require_format("gif")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = np.array(rgb(colour)) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("place", range(len(SHADES)))
def test_text_can_be_read_on_every_shade(place: int) -> None:
    assert contrast(SHADES[place], {"#000": "#000000", "#fff": "#ffffff"}[ink(place)]) >= 4.5


def test_shades_grow_brighter_with_the_share() -> None:
    assert [shade(share) for share in (0, 0.5, 1, -1, 2)] == [0, 5, 10, 0, 10]
    assert shade(float("nan")) is None
    assert np.all(np.diff([luminance(colour) for colour in SHADES]) > 0)


@pytest.mark.parametrize(("colours", "ground"), [(SERIES, "#fcfcfa"), (SERIES_IN_THE_DARK, "#16191b")])
def test_every_series_stands_out_from_the_ground(colours: tuple[str, ...], ground: str) -> None:
    assert all(contrast(colour, ground) >= 2 for colour in colours)
