"""The manifest: what its fingerprint sees and does not see, and its way through a file."""

import dataclasses
import shutil

import pandas as pd
import pytest

from datasets.errors import DataContractBroken
from datasets.manifest import COLUMNS, Manifest, read_csv_text, to_csv_text


def test_rows_are_ordered_by_content_and_columns_are_fixed(prepared, class_folders):
    manifest = prepared(root=class_folders(cat=12, dog=9))
    assert tuple(manifest.table.columns) == COLUMNS
    assert manifest.table["pixels_sha256"].is_monotonic_increasing
    assert (manifest.table["path"].str.split("/").str[0] == manifest.table["label"]).all()
    assert all((manifest.root / path).is_file() for path in manifest.table["path"])


def test_labels_are_positions_in_classes(prepared, class_folders):
    manifest = prepared(root=class_folders(cat=12, dog=9), classes=["dog", "cat"])
    assert manifest.classes == ("dog", "cat")
    assert [manifest.classes[code] for code in manifest.labels] == manifest.table["label"].tolist()
    assert manifest.counts.loc["dog"].sum() == 9


def test_other_names_and_another_root_give_the_same_fingerprint_and_row_order(prepared, class_folders, tmp_path):
    root = class_folders(cat=15, dog=9)
    first = prepared(root=root)
    for label in ("cat", "dog"):
        for number, path in enumerate(sorted((root / label).iterdir(), reverse=True)):
            target = tmp_path / "elsewhere" / label / f"sub{number % 2}" / f"x{number}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    second = prepared(root=tmp_path / "elsewhere")
    assert second.fingerprint == first.fingerprint
    content = ["pixels_sha256", "label", "split", "group"]
    pd.testing.assert_frame_equal(first.table[content], second.table[content])


def test_other_bytes_with_the_same_pixels_give_the_same_fingerprint(prepared, class_folders, draw):
    root = class_folders(cat=9, dog=9)
    first = prepared(root=root)
    draw(0).save(root / "cat" / "000.png", compress_level=0)
    second = prepared(root=root)
    assert (second.table["sha256"].sort_values().tolist()) != first.table["sha256"].sort_values().tolist()
    assert second.fingerprint == first.fingerprint


@pytest.mark.parametrize("change", ["a pixel", "a label", "the split", "the class order", "one more", "one less"])
def test_any_change_of_content_changes_the_fingerprint(change, prepared, class_folders, draw):
    root, options = class_folders(cat=12, dog=9), {}
    first = prepared(root=root).fingerprint
    path = root / "cat" / "000.png"
    if change == "a pixel":
        picture = draw(0)
        picture.putpixel((3, 4), (1, 2, 3))
        picture.save(path)
    elif change == "a label":
        path.rename(root / "dog" / "new.png")
    elif change == "the split":
        options = {"split_seed": 1}
    elif change == "the class order":
        options = {"classes": ["dog", "cat"]}
    elif change == "one more":
        draw(999).save(root / "cat" / "more.png")
    else:
        path.unlink()
    assert prepared(root=root, **options).fingerprint != first


def test_size_and_rule_of_resizing_leave_the_fingerprint_alone(prepared, class_folders):
    root = class_folders(cat=9, dog=9)
    assert prepared(root=root).fingerprint == prepared(root=root, image_size=99, resize="pad", name="x").fingerprint


def test_a_manifest_comes_back_from_its_file(prepared, class_folders, draw, tmp_path):
    root = class_folders(cat=12, dog=9)
    for name in ("two\nlines.png", 'a "quote", and comma.png', "ret\rurn.png", "Blüte 花.png", " space .png"):
        draw(hash(name) % 1000 + 2000).save(root / "cat" / name)
    (root / "cat" / "broken.png").write_bytes(b"x")
    manifest = prepared(root=root, group_pattern="cat/00.")
    manifest.to_csv(tmp_path / "out" / "manifest.csv")
    back = Manifest.read_csv(tmp_path / "out" / "manifest.csv")
    pd.testing.assert_frame_equal(back.table, manifest.table)
    pd.testing.assert_frame_equal(back.rejected, manifest.rejected)
    assert (back.classes, back.root, back.notes) == (manifest.classes, manifest.root, manifest.notes)
    assert back.fingerprint == manifest.fingerprint
    assert all((back.root / path).is_file() for path in back.table["path"])


def test_the_file_has_the_same_bytes_each_time_and_unix_line_ends(prepared, class_folders, tmp_path):
    root = class_folders(cat=12, dog=9)
    for name in ("one", "two"):
        prepared(root=root).to_csv(tmp_path / name / "manifest.csv")
    for file in ("manifest.csv", "manifest.json", "quarantine.csv"):
        data = (tmp_path / "one" / file).read_bytes()
        assert data == (tmp_path / "two" / file).read_bytes()
        assert b"\r" not in data
        assert data.endswith(b"\n")
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "manifest.csv",
        "manifest.json",
        "quarantine.csv",
    ]


def test_class_names_that_look_like_numbers_or_nothing_stay_themselves(tmp_path):
    table = pd.DataFrame({"label": ["007", "NA", "null", "1.0", ""]})
    (tmp_path / "a.csv").write_text(to_csv_text(table), "utf-8")
    assert read_csv_text(tmp_path / "a.csv")["label"].tolist() == ["007", "NA", "null", "1.0", ""]


def test_an_edited_table_is_noticed(prepared, class_folders, tmp_path):
    prepared(root=class_folders(cat=12, dog=9)).to_csv(tmp_path / "manifest.csv")
    text = (tmp_path / "manifest.csv").read_text("utf-8").replace(",train", ",test", 1)
    (tmp_path / "manifest.csv").write_text(text, "utf-8")
    with pytest.raises(DataContractBroken, match="does not fit the fingerprint"):
        Manifest.read_csv(tmp_path / "manifest.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.csv", b""),
        ("manifest.csv", b"\xff\xfe\x00"),
        ("manifest.csv", b"path,label\n"),
        ("manifest.csv", None),
        ("manifest.json", b"{"),
        ("manifest.json", b"[" * 99999),
        ("manifest.json", b"[]"),
        ("manifest.json", b"{}"),
        ("manifest.json", b'{"classes": null, "fingerprint": "", "root": "", "notes": []}'),
        ("manifest.json", b'{"classes": ["cat", {}], "fingerprint": "", "root": "", "notes": []}'),
        ("manifest.json", b'{"classes": ["cat"], "fingerprint": "", "root": 1, "notes": []}'),
        ("quarantine.csv", b'path,reason,class\n"'),
        ("quarantine.csv", b"path\n"),
    ],
)
def test_a_damaged_file_is_said_with_the_way_out(prepared, class_folders, tmp_path, name, content):
    prepared(root=class_folders(cat=12, dog=9)).to_csv(tmp_path / "manifest.csv")
    before = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(before + before if content is None else content)
    with pytest.raises(DataContractBroken, match=r"manifest\.csv cannot be read .* expected .* manifest\.json"):
        Manifest.read_csv(tmp_path / "manifest.csv")


def test_a_manifest_is_frozen(prepared, class_folders):
    manifest = prepared(root=class_folders(cat=9, dog=9))
    with pytest.raises(dataclasses.FrozenInstanceError):
        manifest.classes = ()
