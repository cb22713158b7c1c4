from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.copying import Copied, Encoding, copy_cleaned
from datasets.errors import DataContractBroken, DatasetUsageError

SMALL = Encoding(16, "crop", "png")


def rough(seed: int, size: tuple[int, int] = (60, 40)) -> Image.Image:
    """A picture like no other."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def copy(tmp_path: Path, encoding: Encoding = SMALL, workers: int = 1) -> Copied:
    return copy_cleaned(tmp_path / "in", tmp_path / "out", encoding, tmp_path / "cache", workers, None)


def found(tmp_path: Path) -> set[str]:
    return {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}


def test_folders_keep_their_shape_and_bad_files_stay_behind(tmp_path: Path) -> None:
    save(rough(1), tmp_path / "in" / "train" / "ants" / "1.bmp")
    save(rough(2), tmp_path / "in" / "val" / "bees" / "2.tif")
    (tmp_path / "in" / "val" / "bees" / "3.jpg").write_bytes(b"")
    (tmp_path / "in" / ".hidden").write_bytes(b"x")
    copied = copy(tmp_path)
    assert found(tmp_path) == {"train/ants/1.png", "val/bees/2.png"}
    assert copied.pictures == 2
    assert copied.rejected.to_dict("records") == [
        {"path": "val/bees/3.jpg", "reason": "empty: the file has 0 bytes", "class": "val/bees"}
    ]


def test_the_centre_is_what_remains_of_a_wide_picture(tmp_path: Path) -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255
    save(Image.fromarray(wide), tmp_path / "in" / "a" / "wide.png")
    copy(tmp_path, Encoding(20, "crop", "png"))
    assert (np.asarray(Image.open(tmp_path / "out" / "a" / "wide.png")) == 255).all()


@pytest.mark.parametrize(("ending", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_the_format_is_the_one_asked_for(ending: Any, kind: str, tmp_path: Path) -> None:
    save(rough(1), tmp_path / "in" / "a" / "1.gif")
    copied = copy(tmp_path, Encoding(24, "squish", ending))
    with Image.open(tmp_path / "out" / "a" / f"1.{ending}") as image:
        assert (image.format, image.size, image.mode) == (kind, (24, 24), "RGB")
    assert copied.bytes_after == (tmp_path / "out" / "a" / f"1.{ending}").stat().st_size
    assert copied.bytes_before == (tmp_path / "in" / "a" / "1.gif").stat().st_size


def test_equal_pictures_of_one_folder_are_taken_once(tmp_path: Path) -> None:
    for path in ("a/1.png", "a/2.bmp", "b/1.png"):
        save(rough(1), tmp_path / "in" / path)
    copied = copy(tmp_path)
    assert found(tmp_path) == {"a/1.png", "b/1.png"}
    assert copied.rejected["reason"].tolist() == ["copy of a/1.png"]


def test_files_that_differ_only_in_their_ending_or_case_all_survive(tmp_path: Path) -> None:
    for seed, name in enumerate(["1.png", "1.bmp", "1.BMP", "1.bmp.gif", "\u00e4.png", "\u00c4.bmp"]):
        save(rough(seed), tmp_path / "in" / "a" / name, format="PNG")
    assert copy(tmp_path).pictures == 6
    assert len({name.casefold() for name in found(tmp_path)}) == 6


def test_the_longest_names_still_fit(tmp_path: Path) -> None:
    for seed, letter in enumerate("\u732bab"):
        name = letter * ((255 - 4) // len(letter.encode())) + ".png"
        save(rough(seed), tmp_path / "in" / "a" / name)
    copy(tmp_path, Encoding(16, "crop", "webp"))
    names = [name.removeprefix("a/") for name in found(tmp_path)]
    assert len(names) == 3
    assert all(len(name.encode()) <= 255 and name.endswith(".webp") for name in names)


def test_orientation_is_applied_and_metadata_are_gone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "somebody"
    upper = np.zeros((40, 40, 3), np.uint8)
    upper[:20] = 255
    save(Image.fromarray(upper), tmp_path / "in" / "a" / "turned.jpg", exif=exif)
    copy(tmp_path, Encoding(40, "crop", "jpg"))
    with Image.open(tmp_path / "out" / "a" / "turned.jpg") as image:
        assert not image.getexif()
        right = np.asarray(image)[:, 30:]
    assert right.mean() > 250


def test_pictures_that_had_to_grow_are_counted(tmp_path: Path) -> None:
    save(rough(1, (100, 30)), tmp_path / "in" / "a" / "1.png")
    save(rough(2, (100, 32)), tmp_path / "in" / "a" / "2.png")
    assert copy(tmp_path, Encoding(32, "crop", "png")).enlarged == 1


def test_several_processes_write_the_same_files_as_one(tmp_path: Path) -> None:
    for seed in range(320):
        save(rough(seed, (12, 10)), tmp_path / "in" / "a" / f"{seed}.png")
    copy(tmp_path)
    alone = {name: (tmp_path / "out" / name).read_bytes() for name in found(tmp_path)}
    (tmp_path / "out").rename(tmp_path / "alone")
    copy(tmp_path, workers=2)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in found(tmp_path)} == alone


def test_an_empty_folder_may_take_the_copy(tmp_path: Path) -> None:
    save(rough(1), tmp_path / "in" / "a" / "1.png")
    (tmp_path / "out").mkdir()
    assert copy(tmp_path).pictures == 1


def test_places_that_would_do_harm_are_refused(tmp_path: Path) -> None:
    save(rough(1), tmp_path / "in" / "a" / "1.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("precious")
    with pytest.raises(DatasetUsageError, match="is in use"):
        copy(tmp_path)
    assert found(tmp_path) == {"mine.txt"}
    for inside in (tmp_path / "in" / "b", tmp_path / "in" / "a" / ".." / "c"):
        with pytest.raises(DatasetUsageError, match="lies within"):
            copy_cleaned(tmp_path / "in", inside, SMALL, tmp_path / "cache", 1, None)
    with pytest.raises(DatasetUsageError, match="found no folder"):
        copy_cleaned(tmp_path / "nowhere", tmp_path / "x", SMALL, tmp_path / "cache", 1, None)


def test_a_folder_without_a_picture_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "1.png").write_text("no")
    with pytest.raises(DataContractBroken, match="no readable picture"):
        copy(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "in"]
