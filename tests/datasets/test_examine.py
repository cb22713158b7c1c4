"""Examining a data set once: what is remembered equals what was found, and nothing stale or damaged is used."""

import os

import pandas as pd
import pytest

from datasets.examine import examine


@pytest.fixture
def examined(dataset, tmp_path):
    def make(source="folder", /, cache="cache", **changes):
        chosen = dataset(source, **changes)
        return examine(chosen.spec, chosen.location, tmp_path / cache, 1, None)

    return make


@pytest.fixture
def root(class_folders, draw):
    """Two classes with a copy, a conflict, a broken file and a picture in no class."""
    root = class_folders(cat=14, dog=12)
    draw(3).resize((80, 60)).save(root / "cat" / "larger, \n copy.png")
    draw(20).save(root / "cat" / "dog.png")
    (root / "dog" / "broken.png").write_bytes(b"x")
    draw(77).save(root / "stray.png")
    return root


def assert_same(one, other):
    for name in ("table", "rejected"):
        pd.testing.assert_frame_equal(getattr(one.manifest, name), getattr(other.manifest, name))
    for name in ("classes", "root", "notes", "fingerprint"):
        assert getattr(one.manifest, name) == getattr(other.manifest, name)
    pd.testing.assert_frame_equal(one.pictures, other.pictures)
    pd.testing.assert_frame_equal(one.pairs, other.pairs)
    assert (one.crossing, one.files) == (other.crossing, other.files)


@pytest.mark.parametrize("options", [{}, {"copies": "ignore"}, {"max_per_class": 6, "near_distance": None}])
def test_what_is_remembered_is_what_was_found(options, examined, root):
    first, second = examined(root=root, **options), examined(root=root, **options)
    assert_same(first, second)
    assert (first.remembered, second.remembered) == (0, 29)


def test_an_unchanged_folder_is_not_read_again(examined, root):
    first = examined(root=root)
    for path in root.glob("*/*.png"):
        status = path.stat()
        path.write_bytes(b"\0" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert_same(first, examined(root=root))


@pytest.mark.parametrize("change", ["a picture", "one more", "one less", "a class", "an option", "a hidden file"])
def test_a_change_is_noticed(change, examined, root, draw):
    first, options = examined(root=root), {}
    if change == "a picture":
        draw(900).save(root / "cat" / "000.png")
    elif change == "one more":
        draw(900).save(root / "cat" / "new.png")
    elif change == "one less":
        (root / "cat" / "000.png").unlink()
    elif change == "a class":
        (root / "cat" / "000.png").rename(root / "dog" / "cat.png")
    elif change == "an option":
        options = {"split_seed": 3}
    else:
        (root / "cat" / ".hidden").write_text("x")
    found = examined(root=root, **options)
    assert_same(found, examined(root=root, cache="another", **options))
    assert found.manifest.fingerprint != first.manifest.fingerprint or change == "a hidden file"


def test_options_that_do_not_matter_use_the_same_memory(examined, root):
    examined(root=root)
    assert examined(root=root, name="x", image_size=99, resize="pad").remembered == 29


@pytest.mark.parametrize("file", ["pictures.feather", "pairs.feather", "rejected.feather", "rest.json"])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut off", "noise"])
def test_a_damaged_memory_is_not_used(file, damage, examined, root, tmp_path):
    first = examined(root=root)
    (path,) = (tmp_path / "cache" / "manifests").glob(f"*/{file}")
    data = path.read_bytes()
    contents = {"empty": b"", "cut off": data[: len(data) // 2], "noise": os.urandom(len(data))}
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(contents[damage])
    assert_same(first, examined(root=root))
    assert_same(first, examined(root=root))


def test_pictures_left_out_of_every_split_are_seen_too(examined, root):
    found = examined(root=root)
    assert set(found.pictures["split"]) == {"train", "val", "test", ""}
    assert found.pictures["path"][found.pictures["split"] == ""].tolist() == ["cat/dog.png", "dog/006.png"]
    assert len(found.pairs) == 2
