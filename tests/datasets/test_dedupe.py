"""Which pictures count as copies: planted ones of many kinds, plain pictures, and what is no copy."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageOps

from datasets.dedupe import copy_pairs, groups_of, linked, resolve, same_value
from datasets.facts import look_at

NUMBER = 40
DEFAULT = 4


def through(file_format, **options):
    def change(picture):
        stream = io.BytesIO()
        picture.save(stream, file_format, **options)
        with Image.open(stream) as image:
            return image.convert("RGB")

    return change


def scaled(factor):
    return lambda picture: picture.resize((int(picture.width * factor), int(picture.height * factor)))


def cropped(share):
    def change(picture):
        x, y = int(picture.width * share), int(picture.height * share)
        return picture.crop((x, y, picture.width - x, picture.height - y))

    return change


FOUND = {
    "half the size": (scaled(0.5), 1.0),
    "twice the size": (scaled(2), 1.0),
    "a small square": (lambda picture: picture.resize((48, 48)), 1.0),
    "JPEG 90": (through("JPEG", quality=90), 1.0),
    "JPEG 30": (through("JPEG", quality=30), 1.0),
    "WebP": (through("WEBP", quality=80), 1.0),
    "AVIF": (through("AVIF", quality=60), 1.0),
    "GIF": (through("GIF"), 1.0),
    "BMP": (through("BMP"), 1.0),
    "darker": (lambda picture: ImageEnhance.Brightness(picture).enhance(0.8), 1.0),
    "brighter": (lambda picture: ImageEnhance.Brightness(picture).enhance(1.1), 0.9),
    "less contrast": (lambda picture: ImageEnhance.Contrast(picture).enhance(0.7), 1.0),
    "grey": (lambda picture: picture.convert("L").convert("RGB"), 1.0),
    "mirrored": (ImageOps.mirror, 1.0),
    "mirrored, smaller, JPEG": (
        lambda picture: through("JPEG", quality=60)(scaled(0.5)(ImageOps.mirror(picture))),
        1.0,
    ),
}
NOT_FOUND = {
    "upside down": ImageOps.flip,
    "turned": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "cropped": cropped(0.1),
}


@pytest.fixture
def pictures_of(tmp_path):
    """A function that writes pictures and gives the table of their facts, all labelled alike."""

    def make(pictures, labels=None):
        for number, picture in enumerate(pictures):
            picture.save(tmp_path / f"{number:03d}.png")
        table = pd.DataFrame(look_at(str(tmp_path), [f"{number:03d}.png" for number in range(len(pictures))]))
        return table.assign(label=labels or "cat", bytes=100)

    return make


@pytest.fixture
def originals(draw):
    return [draw(seed, (160, 120)) for seed in range(NUMBER)]


def recall(pictures, distance=DEFAULT):
    """The share of the first half of the pictures that is grouped with its partner, and no one else, in the second."""
    groups = groups_of(len(pictures), copy_pairs(pictures, distance))
    half = len(pictures) // 2
    assert len(set(groups[:half])) == half
    return float((groups[:half] == groups[half:]).mean())


@pytest.mark.parametrize("kind", FOUND)
def test_a_planted_copy_is_found_at_the_default_distance(kind, originals, pictures_of):
    change, share = FOUND[kind]
    assert recall(pictures_of([*originals, *map(change, originals)])) >= share


@pytest.mark.parametrize("kind", NOT_FOUND)
def test_what_the_hash_cannot_see_is_not_claimed(kind, originals, pictures_of):
    assert recall(pictures_of([*originals, *map(NOT_FOUND[kind], originals)])) < 0.2


def test_equal_pixels_are_copies_in_any_file_and_at_distance_0(originals, pictures_of):
    pairs = copy_pairs(pictures_of([originals[0], originals[1], originals[0]]), None)
    assert pairs.to_dict("records") == [{"first": 0, "second": 2, "distance": 0, "kind": "pixels"}]


def test_a_pair_says_its_kind_and_distance_once(originals, pictures_of):
    darker = ImageEnhance.Brightness(originals[0]).enhance(0.8)
    pairs = copy_pairs(pictures_of([originals[0], darker, ImageOps.mirror(originals[1]), originals[1]]), DEFAULT)
    assert pairs[["first", "second", "kind"]].to_numpy().tolist() == [[0, 1, "near"], [2, 3, "mirrored"]]
    assert (pairs["distance"] <= DEFAULT).all()


def test_plain_pictures_of_other_colours_are_no_copies(pictures_of):
    colours = ["white", "black", "red", (10, 200, 30), (10, 200, 31)]
    pictures = [Image.new("RGB", (40, 40), colour) for colour in [*colours, "red"]]
    pairs = copy_pairs(pictures_of(pictures), 12)
    assert pairs[["first", "second", "kind"]].to_numpy().tolist() == [[2, 5, "pixels"]]


def test_nearly_plain_pictures_are_no_copies(pictures_of):
    random = np.random.default_rng(0)
    pictures = [Image.fromarray(random.integers(120, 124, (40, 40, 3), dtype=np.uint8)) for _ in range(30)]
    assert copy_pairs(pictures_of(pictures), 12).empty


def test_a_mirrored_pair_with_other_labels_is_no_pair(originals, pictures_of):
    pictures = [originals[0], ImageOps.mirror(originals[0])]
    assert copy_pairs(pictures_of(pictures, ["left", "right"]), DEFAULT).empty
    assert len(copy_pairs(pictures_of(pictures, ["left", "left"]), DEFAULT)) == 1


def test_a_chain_of_copies_is_one_group():
    groups = linked(6, (np.array([0, 3]), np.array([1, 4])), (np.array([1]), np.array([5])))
    assert (groups == groups[0]).tolist() == [True, True, False, False, False, True]
    assert groups[3] == groups[4] != groups[2]


def test_nothing_is_linked_by_missing_values():
    first, second = same_value(np.array(["a", None, "b", "a", None, "a"], object))
    assert (first.tolist(), second.tolist()) == ([0, 3], [3, 5])


def test_the_largest_of_each_group_is_kept_when_copies_are_dropped(originals, pictures_of):
    pictures = pictures_of([originals[0], scaled(2)(originals[0]), scaled(0.5)(originals[0]), originals[1]])
    resolved = resolve(pictures, copy_pairs(pictures, DEFAULT), "drop", "exclude")
    assert resolved.kept["path"].tolist() == ["001.png", "003.png"]
    assert resolved.rejected["reason"].tolist() == ["copy of 001.png"] * 2
    assert resolved.notes == ("3 pictures are copies of others (1 group): the largest of each group is used",)
