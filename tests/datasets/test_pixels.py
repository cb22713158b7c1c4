"""Decoded pictures on disk: the right pixels in the right rows, made once, whole or made again."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from datasets.decoding import decode, quiet_decoding
from datasets.errors import DataContractBroken
from datasets.manifest import Manifest
from datasets.pixels import pixels
from datasets.prepare import prepare
from datasets.resizing import square


@pytest.fixture
def manifest(prepared, class_folders):
    return prepared(root=class_folders(cat=20, dog=20))


@pytest.fixture
def opened(manifest, tmp_path):
    def make(which: Manifest = manifest, size: int = 16, resize: str = "squish", workers: int = 1):
        return pixels(which, size, resize, tmp_path / "cache", workers, None)

    return make


def folder_of(cache, tmp_path):
    (folder,) = (tmp_path / "cache" / "pixels").glob(f"*/{cache.key}")
    return folder


def expected(manifest, size, resize):
    with quiet_decoding():
        pictures = [decode((manifest.root / path).read_bytes()).image for path in manifest.table["path"]]
    return np.stack([square(picture, size, resize) for picture in pictures])


@pytest.mark.parametrize("resize", ["squish", "crop", "pad"])
def test_row_i_is_picture_i(resize, opened, manifest):
    cache = opened(resize=resize)
    assert (cache.array.shape, cache.array.dtype, cache.decoded) == ((40, 16, 16, 3), np.uint8, 40)
    assert (cache.array == expected(manifest, 16, resize)).all()


def test_the_map_is_read_only_and_on_disk(opened):
    array = opened().array
    assert isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 0


def test_a_second_call_decodes_nothing(opened):
    first, second = opened(), opened()
    assert (second.decoded, second.key, second.notes) == (0, first.key, ())
    assert (first.array == second.array).all()


def test_another_split_and_other_names_share_the_map(opened, manifest, prepared):
    opened()
    assert opened(prepared(root=manifest.root, split_seed=9, name="other")).decoded == 0


def test_each_size_and_rule_has_its_own_map(opened):
    keys = {opened(size=size, resize=resize).key for size in (8, 16) for resize in ("squish", "crop")}
    assert len(keys) == 4


def test_pictures_of_other_maps_are_taken_over(opened, manifest, prepared, draw):
    opened()
    for number in range(5):
        draw(500 + number).save(manifest.root / "cat" / f"new{number}.png")
    larger = prepared(root=manifest.root)
    cache = opened(larger)
    assert cache.decoded == 5
    assert cache.notes == ("40 of 45 decoded pictures were there from earlier",)
    assert (cache.array == expected(larger, 16, "squish")).all()


def test_copies_have_a_row_each(opened, manifest, prepared, draw):
    draw(0).save(manifest.root / "cat" / "again.bmp")
    twice = prepared(root=manifest.root)
    assert (opened(twice).array == expected(twice, 16, "squish")).all()


@pytest.mark.parametrize(
    "damage",
    ["cut off", "a flipped row", "no pixels", "no checksums", "checksums cut off", "another shape", "no list of rows"],
)
def test_damage_is_noticed_said_and_mended(damage, opened, manifest, tmp_path):
    folder = folder_of(opened(), tmp_path)
    file = folder / "pixels.npy"
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:20_000])
    elif damage == "a flipped row":
        data = bytearray(file.read_bytes())
        data[128 + 7 * 768] ^= 1
        file.write_bytes(bytes(data))
    elif damage == "no pixels":
        file.unlink()
    elif damage == "no checksums":
        (folder / "crc.npy").unlink()
    elif damage == "checksums cut off":
        (folder / "crc.npy").write_bytes((folder / "crc.npy").read_bytes()[:140])
    elif damage == "another shape":
        np.save(file, np.zeros((40, 8, 8, 3), np.uint8))
    else:
        (folder / "rows.txt").unlink()
    again = opened()
    assert (again.array == expected(manifest, 16, "squish")).all()
    if damage == "no list of rows":
        assert again.decoded == 0
        return
    assert len(again.notes) == 1
    assert "were damaged" in again.notes[0]
    assert opened().notes == ()
    if damage == "a flipped row":
        assert again.decoded == 1


def test_a_damaged_map_is_no_donor(opened, manifest, prepared, draw, tmp_path):
    folder = folder_of(opened(), tmp_path)
    data = bytearray((folder / "pixels.npy").read_bytes())
    data[128 + 7 * 768] ^= 1
    (folder / "pixels.npy").write_bytes(bytes(data))
    draw(500).save(manifest.root / "cat" / "new.png")
    larger = prepared(root=manifest.root)
    cache = opened(larger)
    assert cache.decoded == 2
    assert (cache.array == expected(larger, 16, "squish")).all()


@pytest.mark.parametrize("change", ["gone", "another picture", "broken"])
def test_a_file_that_changed_since_the_scan_stops_everything(change, opened, manifest, draw):
    path = manifest.root / "cat" / "003.png"
    if change == "gone":
        path.unlink()
    elif change == "another picture":
        draw(999).save(path)
    else:
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataContractBroken, match=r"cat/003\.png .*same command again"):
        opened()


def test_progress_counts_to_the_end(manifest, tmp_path):
    calls = []
    pixels(manifest, 8, "pad", tmp_path / "cache", 1, lambda done, total: calls.append((done, total)))
    assert calls[-1] == (40, 40)


def test_two_processes_at_once_build_the_map_once(manifest, opened, tmp_path):
    manifest.to_csv(tmp_path / "manifest.csv")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from datasets.manifest import Manifest\n"
        "from datasets.pixels import pixels\n"
        "print(pixels(Manifest.read_csv(Path(sys.argv[1])), 16, 'squish', Path(sys.argv[2]), 1, None).decoded)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "manifest.csv"), str(tmp_path / "cache")]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    decoded = sorted(int(child.communicate()[0]) for child in children)
    assert decoded == [0, 40]
    assert opened().decoded == 0


def test_a_full_disk_is_an_error_and_leaves_no_map(manifest, tmp_path):
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from datasets.manifest import Manifest\n"
        "from datasets.pixels import pixels\n"
        "manifest = Manifest.read_csv(Path(sys.argv[1]))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    pixels(manifest, 64, 'squish', Path(sys.argv[2]), 1, None)\n"
        "except OSError as error:\n"
        "    print('refused', error.errno, error.filename)\n"
    )
    manifest.to_csv(tmp_path / "manifest.csv")
    command = [sys.executable, "-c", code, str(tmp_path / "manifest.csv"), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert re.match(rf"refused \d+ {tmp_path}/cache/pixels/", done.stdout), done.stderr
    assert list((tmp_path / "cache" / "pixels").glob("*/*/")) == []
    assert pixels(manifest, 64, "squish", tmp_path / "cache", 1, None).decoded == 40


def test_several_processes_write_what_one_writes(dataset, many, tmp_path):
    chosen = dataset("folder", root=many, near_distance=None)
    manifest = prepare(chosen.spec, chosen.location, tmp_path / "cache", 2, None)
    cache = pixels(manifest, 16, "squish", tmp_path / "cache", 2, None)
    assert cache.decoded == 600
    for row in range(0, 600, 37):
        with Image.open(manifest.root / manifest.table["path"][row]) as image:
            assert (cache.array[row] == square(image.convert("RGB"), 16, "squish")).all()


class TestSquare:
    """The three rules of resizing."""

    @pytest.fixture
    def flag(self):
        """40 x 20: left half red, right half blue."""
        picture = Image.new("RGB", (40, 20), (255, 0, 0))
        picture.paste((0, 0, 255), (20, 0, 40, 20))
        return picture

    def test_squish_shows_everything(self, flag):
        found = square(flag, 10, "squish")
        assert found.shape == (10, 10, 3)
        assert (found[:, 0] == (255, 0, 0)).all()
        assert (found[:, -1] == (0, 0, 255)).all()

    def test_crop_keeps_the_aspect_ratio_and_the_centre(self, flag):
        flag.paste((0, 255, 0), (0, 0, 10, 20))
        found = square(flag, 10, "crop").astype(int)
        assert (found[:, :, 1] < 60).all()
        assert (found[:, 4, 0] > 200).all()
        assert (found[:, 5, 2] > 200).all()

    @pytest.mark.parametrize("shape", [(40, 20), (20, 40)])
    def test_pad_shows_everything_between_black_bars(self, shape):
        found = square(Image.new("RGB", shape, "white"), 12, "pad")
        bars = found if shape[0] > shape[1] else found.transpose(1, 0, 2)
        assert (bars[:3] == 0).all()
        assert (bars[3:9] == 255).all()
        assert (bars[9:] == 0).all()

    @pytest.mark.parametrize("resize", ["squish", "crop", "pad"])
    def test_a_square_of_the_right_size_is_left_as_it_is(self, resize, draw):
        picture = draw(5, (24, 24))
        assert (square(picture, 24, resize) == np.asarray(picture)).all()

    @pytest.mark.parametrize("resize", ["squish", "crop", "pad"])
    def test_extreme_aspect_ratios_work(self, resize, draw):
        assert square(draw(5, (400, 4)), 16, resize).shape == (16, 16, 3)

    def test_shrinking_averages_instead_of_picking(self):
        stripes = np.zeros((64, 64, 3), np.uint8)
        stripes[:, ::2] = 255
        found = square(Image.fromarray(stripes), 8, "squish")
        assert np.abs(found.astype(int) - 127).max() < 20


def test_the_files_of_a_map_describe_themselves(opened, manifest, tmp_path):
    folder = folder_of(opened(), tmp_path)
    assert (folder / "rows.txt").read_text().split("\n") == manifest.table["pixels_sha256"].tolist()
    assert json.dumps(np.load(folder / "pixels.npy", mmap_mode="r").shape) == "[40, 16, 16, 3]"
