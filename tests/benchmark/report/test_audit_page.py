import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.report.audit import audit_page
from benchmark.report.audit_folder import keep
from benchmark.report.page import shown
from datasets.audit import Audit, Looked
from datasets.audit_summary import summary
from datasets.crossing import Crossing
from datasets.manifest import COLUMNS, Manifest
from datasets.spec import DatasetSpec, dataset_from_mapping

HOSTILE = "<script>alert(1)</script>"
MEGABYTE = 10**6


def spec() -> DatasetSpec:
    options = {
        "name": "drawn", "source": "folder", "classes": None, "parts": None, "path_column": "path",
        "label_column": "label", "split_column": None, "group_column": None, "image_size": 32, "resize": "squish",
        "split": "holdout", "fractions": {"train": 0.7, "val": 0.15, "test": 0.15}, "folds": 5, "fold": None,
        "split_seed": 0, "max_per_class": None, "min_per_class": 3, "small_classes": "refuse", "copies": "group",
        "near_distance": 4, "conflicts": "exclude", "group_pattern": None, "fix_leaks": False, "digits": None,
        "shapes": None, "root": None, "table": None, "allow_outside_root": False,
    }  # fmt: skip
    return dataset_from_mapping(options).spec


def made_up(root: Path, rows: int, classes: tuple[str, ...], pairs: int = 0, rejected: int = 0) -> Audit:
    """An audit of pictures that were never scanned; every row shows the file noise.png of the root."""
    place = np.arange(rows)
    pictures = pd.DataFrame(
        {
            "path": "noise.png", "label": np.array(classes)[place % len(classes)], "width": 100 + place % 997,
            "height": 100 + place % 991, "format": "PNG", "mode": "RGB", "frames": 1, "brightness": place % 256.0,
            "bytes": 1000, "sha256": [f"{number:064x}" for number in place],
            "pixels_sha256": [f"{number:064x}" for number in place], "phash": "0" * 16,
            "group": [f"{number:016x}" for number in place],
            "split": np.array(["train", "val", "test"])[place // len(classes) % 3],
        }
    )  # fmt: skip
    lost = pd.DataFrame(
        {"path": [f"{number}{'x' * 200}" for number in range(rejected)],
         "reason": [f"kind {number % 500}: {'y' * 300}" for number in range(rejected)], "class": "a"}, dtype=str
    )  # fmt: skip
    links = pd.DataFrame(
        {"first": 2 * np.arange(pairs), "second": 2 * np.arange(pairs) + 1, "distance": 1, "kind": "near"}
    )
    notes = tuple(f"note {number} {'z' * 2000}" for number in range(500))
    manifest = Manifest(pictures[list(COLUMNS)], lost, classes, root, notes)
    return Audit(spec(), manifest, pictures, links, Crossing(1, 2), Looked(rows, 0))


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """A folder with the picture that compresses worst."""
    values = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "noise.png")
    return tmp_path


def page_of(audit: Audit) -> str:
    return audit_page(audit, summary(audit))


class Reader(HTMLParser):
    """Collects what a page holds, and whether its elements are closed in order."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_a_hundred_thousand_pictures_give_a_page_below_ten_megabytes(noise: Path) -> None:
    classes = tuple(f"{number}{'n' * 250}" for number in range(1000))
    page = page_of(made_up(noise, 100_000, classes, pairs=5000, rejected=20_000))
    assert MEGABYTE < len(page.encode()) < 10 * MEGABYTE


def test_few_classes_give_a_page_below_ten_megabytes_too(noise: Path) -> None:
    assert len(page_of(made_up(noise, 100_000, ("a", "b"), pairs=5000)).encode()) < 10 * MEGABYTE


def test_hostile_names_stay_text(noise: Path) -> None:
    audit = made_up(noise, 60, (HOSTILE, '" onload="x'), pairs=3, rejected=2)
    audit.pictures["path"] = HOSTILE
    audit.manifest.table["path"] = HOSTILE
    audit.manifest.rejected[["path", "reason", "class"]] = HOSTILE
    elements = read(page_of(audit)).elements
    assert {tag for tag, _ in elements}.isdisjoint({"script", "iframe", "object"})
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]


def test_the_page_asks_for_nothing_from_outside(noise: Path) -> None:
    page = page_of(made_up(noise, 60, ("a", "b"), pairs=3))
    links = [value for _, attributes in read(page).elements for key, value in attributes.items()
             if key in ("src", "href", "srcset", "action")]  # fmt: skip
    assert links
    assert all(str(link).startswith(("data:", "#")) for link in links)
    assert not re.search(r"url\(|@import", page)


def test_every_element_is_closed_and_every_picture_and_column_is_named(noise: Path) -> None:
    reader = read(page_of(made_up(noise, 60, ("a", "b"), pairs=3, rejected=5)))
    assert reader.open == []
    pictures = [attributes for tag, attributes in reader.elements if tag == "img"]
    assert len(pictures) > 20
    assert all(attributes["alt"] for attributes in pictures)
    assert all(attributes.get("scope") for tag, attributes in reader.elements if tag == "th")
    drawings = [attributes for tag, attributes in reader.elements if tag == "svg"]
    assert all(attributes.get("aria-label") or attributes.get("aria-hidden") for attributes in drawings)


def test_links_within_the_page_lead_somewhere(noise: Path) -> None:
    elements = read(page_of(made_up(noise, 60, ("a", "b")))).elements
    places = {attributes.get("id") for _, attributes in elements}
    targets = [str(attributes["href"])[1:] for tag, attributes in elements if tag == "a"]
    assert len(targets) >= 8
    assert set(targets) <= places


def test_the_page_says_the_figures_of_the_summary(noise: Path) -> None:
    audit = made_up(noise, 90, ("cat", "dog", "eel"), pairs=4)
    page = page_of(audit)
    assert "8 pictures in 4 groups have copies with another label" in page
    assert re.search(r"<dt>pictures in use</dt><dd>90</dd>", page)
    assert re.search(r"<bdi>cat</bdi></th><td class=\"number\">10</td>", page)


def test_a_picture_that_vanished_is_said_to_be_gone(tmp_path: Path) -> None:
    page = page_of(made_up(tmp_path, 30, ("a", "b")))
    assert "gone since it was scanned" in page
    assert "<img" not in page


def test_at_most_two_thousand_sizes_are_drawn(noise: Path) -> None:
    page = page_of(made_up(noise, 20_000, ("a", "b")))
    assert page.count('<circle class="point"') == 2000
    assert "of which 2\u202f000 are drawn" in page


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain", "plain"),
        ("Größe 猫", "Größe 猫"),
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m"),
        ("evil\u202egpj.exe", "evil\\u202egpj.exe"),
        ("x" * 300, "x" * 44 + "…" + "x" * 44),
    ],
)
def test_names_are_safe_to_look_at(name: str, text: str) -> None:
    assert shown(name) == text


def test_an_audit_is_written_once_and_again_when_a_file_is_lost(noise: Path, tmp_path: Path) -> None:
    audit = made_up(noise, 60, ("a", "b"), pairs=3)
    first = keep(audit, tmp_path / "results")
    assert first.written
    assert not keep(audit, tmp_path / "results").written
    before = {path.name: path.read_bytes() for path in first.path.iterdir()}
    (first.path / "audit.html").unlink()
    assert keep(audit, tmp_path / "results").written
    assert {path.name: path.read_bytes() for path in first.path.iterdir()} == before
    assert set(before) >= {"manifest.csv", "quarantine.csv", "copies.csv", "summary.json", "audit.html"}


def test_a_folder_without_its_summary_is_written_anew(noise: Path, tmp_path: Path) -> None:
    audit = made_up(noise, 60, ("a", "b"))
    kept = keep(audit, tmp_path / "results")
    (kept.path / "summary.json").unlink()
    (kept.path / "copies.csv").write_text("half of an older audi")
    assert keep(audit, tmp_path / "results").written
    assert (kept.path / "copies.csv").read_text().startswith("group,relation,kind,distance,path")
