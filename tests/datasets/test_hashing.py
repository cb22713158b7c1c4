"""Content and perceptual hashes, compared with the imagehash library."""

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_digits

from datasets.hashing import from_hex, grey_thumbnail, perceptual_hashes, pixels_sha256, to_hex


@pytest.fixture
def pictures(draw):
    digits = [Image.fromarray((image * 15).astype(np.uint8)).convert("RGB") for image in load_digits().images[:40]]
    plain = [Image.new("RGB", (50, 20), "white"), Image.new("RGB", (7, 9), (3, 90, 200))]
    return [draw(seed, size) for seed in range(40) for size in ((200, 133), (32, 32), (9, 40))] + digits + plain


def test_the_bits_are_those_of_imagehash(pictures):
    hashes = perceptual_hashes(np.stack([grey_thumbnail(picture) for picture in pictures]))
    assert to_hex(hashes.upright) == [str(imagehash.phash(picture)) for picture in pictures]


def test_the_mirrored_hash_is_the_hash_of_the_mirrored_picture(draw):
    pictures = [draw(seed, (120, 80)) for seed in range(100)]
    mirrored = perceptual_hashes(np.stack([grey_thumbnail(picture) for picture in pictures])).mirrored
    expected = [int(str(imagehash.phash(ImageOps.mirror(picture))), 16) for picture in pictures]
    apart = np.bitwise_count(mirrored ^ np.array(expected, np.uint64))
    assert apart.max() <= 2
    assert apart.mean() < 0.1


def test_hashes_survive_as_hex():
    hashes = np.array([0, 1, 2**64 - 1, 0x8000000000000000, 0x0123456789ABCDEF], np.uint64)
    assert to_hex(hashes) == ["0" * 16, "0" * 15 + "1", "f" * 16, "8" + "0" * 15, "0123456789abcdef"]
    assert (from_hex(to_hex(hashes)) == hashes).all()


def test_no_pictures_have_no_hashes():
    assert perceptual_hashes(np.zeros((0, 32, 32), np.uint8)).upright.shape == (0,)


def test_the_content_hash_sees_one_changed_pixel_and_the_shape(draw):
    picture = draw(1)
    changed = picture.copy()
    changed.putpixel((5, 5), (0, 0, 0))
    assert pixels_sha256(picture) == pixels_sha256(picture.copy())
    assert pixels_sha256(picture) != pixels_sha256(changed)
    reshaped = Image.frombytes("RGB", (picture.height, picture.width), picture.tobytes())
    assert pixels_sha256(picture) != pixels_sha256(reshaped)
