"""The limit on the cache's size: the least recently used goes first, what is in use stays."""

import os

import numpy as np
import pytest
from filelock import FileLock

from datasets.limit import keep_within
from datasets.pixels import pixels


@pytest.fixture
def cache(prepared, class_folders, tmp_path):
    """A cache with maps of 8, 16 and 24 pixels, used in this order, and the manifest they belong to."""
    manifest = prepared(root=class_folders(cat=12, dog=12))
    for number, size in enumerate((8, 16, 24)):
        folder = open_map(manifest, size, tmp_path).parent
        os.utime(folder, (1000 + number, 1000 + number))
    return manifest


def open_map(manifest, size, tmp_path):
    cache = pixels(manifest, size, "squish", tmp_path / "cache", 1, None)
    return next((tmp_path / "cache" / "pixels").glob(f"*-{size}-squish/{cache.key}/pixels.npy"))


def sizes(tmp_path):
    return {path.parent.name.split("-")[2] for path in (tmp_path / "cache" / "pixels").glob("*/*/")}


def space(tmp_path):
    return sum(path.stat().st_blocks * 512 for path in (tmp_path / "cache" / "pixels").glob("*/*/*"))


def test_nothing_goes_while_all_is_within_the_limit(cache, tmp_path):
    assert keep_within(tmp_path / "cache", 10**9).entries == 0
    assert sizes(tmp_path) == {"8", "16", "24"}


def test_the_least_recently_used_goes_first(cache, tmp_path):
    open_map(cache, 8, tmp_path)
    removed = keep_within(tmp_path / "cache", space(tmp_path) - 1)
    assert removed.entries == 1
    assert removed.bytes > 24 * 16 * 16 * 3
    assert sizes(tmp_path) == {"8", "24"}


def test_a_limit_of_zero_clears_everything_and_it_is_made_again(cache, tmp_path):
    assert keep_within(tmp_path / "cache", 0).entries == 3
    assert sizes(tmp_path) == set()
    assert pixels(cache, 8, "squish", tmp_path / "cache", 1, None).decoded == 24


def test_what_is_locked_stays(cache, tmp_path):
    folder = open_map(cache, 16, tmp_path).parent
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        assert keep_within(tmp_path / "cache", 0).entries == 2
    assert sizes(tmp_path) == {"16"}


def test_an_open_map_stays_readable(cache, tmp_path):
    opened = pixels(cache, 24, "squish", tmp_path / "cache", 1, None)
    before = np.array(opened.array)
    keep_within(tmp_path / "cache", 0)
    assert (opened.array == before).all()


def test_features_count_and_go_with_their_description(cache, tmp_path):
    folder = tmp_path / "cache" / "features"
    folder.mkdir()
    for name in ("a.npy", "a.json", "a.lock"):
        (folder / name).write_bytes(b"x" * 5000)
    os.utime(folder / "a.npy", (1, 1))
    assert keep_within(tmp_path / "cache", space(tmp_path)).entries == 1
    assert [path.name for path in folder.iterdir()] == ["a.lock"]
    assert sizes(tmp_path) == {"8", "16", "24"}


def test_an_empty_cache(tmp_path):
    assert keep_within(tmp_path / "nowhere", 0) == (0, 0)
