from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.report.gradcam import FILE, blend, overlays
from benchmark.store import BrokenRecord


@pytest.mark.parametrize("colour", [(40, 80, 200), (250, 220, 40)])
def test_cold_parts_are_grey_and_warm_ones_warm_whatever_the_colours_of_the_picture(
    colour: tuple[int, int, int],
) -> None:
    view = Image.new("RGB", (64, 64), colour)
    heat = np.zeros((8, 8), np.uint8)
    heat[:, 6:] = 255
    mixed = np.asarray(blend(view, heat))
    assert (mixed[:, :32] == mixed[0, 0, 0]).all()
    assert mixed[32, 62, 0] > 180
    assert int(mixed[32, 62, 0]) - int(mixed[32, 62, 2]) > 80


def test_overlays_show_the_pictures_of_the_rows(sweep: Any, tmp_path: Path) -> None:
    rows, heat = np.array([3, 7]), np.zeros((2, 4, 4), np.uint8)
    np.savez(tmp_path / FILE, rows=rows, heat=heat, classes=np.array([0, 2]), method=np.array("grad-cam"))
    heat_of_run = overlays(tmp_path, sweep.manifest, "squish")
    assert heat_of_run is not None
    found = heat_of_run.pictures
    assert heat_of_run.right == sum(
        sweep.manifest.table["label"].iloc[row] == name for row, name in ((3, "ant"), (7, "cat"))
    )
    assert [one.row for one in found] == [3, 7]
    assert [one.explained for one in found] == ["ant", "cat"]
    assert found[0].truth == sweep.manifest.table["label"].iloc[3]
    assert (found[0].heated.width, found[0].heated.height) == (128, 128)


def test_a_run_without_heat_maps_has_no_overlays(sweep: Any, tmp_path: Path) -> None:
    assert overlays(tmp_path, sweep.manifest, "squish") is None


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("grad-cam", "Selvaraju et al. 2017)"),
        ("hirescam", "HiResCAM (Draelos"),
        (None, "2017); for networks that flatten"),
    ],
)
def test_heat_is_called_by_the_method_that_made_it(sweep: Any, tmp_path: Path, method: str | None, words: str) -> None:
    said = {} if method is None else {"method": np.array(method)}
    np.savez(tmp_path / FILE, rows=np.array([3]), heat=np.zeros((1, 4, 4), np.uint8), classes=np.array([0]), **said)
    found = overlays(tmp_path, sweep.manifest, "squish")
    assert found is not None
    assert words in found.method


@pytest.mark.parametrize(
    "arrays",
    [
        {"rows": np.array([1]), "heat": np.zeros((2, 4, 4), np.uint8), "classes": np.array([0])},
        {"rows": np.array([10**6]), "heat": np.zeros((1, 4, 4), np.uint8), "classes": np.array([0])},
        {"rows": np.array([1]), "heat": np.zeros((1, 4, 4), np.uint8), "classes": np.array([9])},
        {"rows": np.array([1]), "classes": np.array([0])},
        {
            "rows": np.array([1]),
            "heat": np.zeros((1, 4, 4), np.uint8),
            "classes": np.array([0]),
            "method": np.array("x"),
        },
        {"rows": np.array([{"a": 1}]), "heat": np.zeros((1, 4, 4), np.uint8), "classes": np.array([0])},
    ],
)
def test_a_file_that_is_not_what_the_run_wrote_is_said(
    sweep: Any, tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    np.savez(tmp_path / FILE, **arrays)
    with pytest.raises(BrokenRecord, match="found no heat maps in"):
        overlays(tmp_path, sweep.manifest, "squish")


def test_a_truncated_file_is_said(sweep: Any, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"PK\x03\x04half")
    with pytest.raises(BrokenRecord, match="found no heat maps in"):
        overlays(tmp_path, sweep.manifest, "squish")
