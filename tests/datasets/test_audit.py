import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image, ImageFilter
from scipy import stats

from datasets.audit import Audit, audit
from datasets.audit_advice import advice, half_width, suggested_size, visible_difference
from datasets.audit_error_levels import QUALITIES, error_levels
from datasets.audit_summary import reason_kinds, summary, wrong_extensions
from datasets.prepare import prepare
from datasets.spec import Dataset, dataset_from_mapping

CONF = Path(__file__).resolve().parents[2] / "conf" / "dataset"


def rough(seed: int, size: tuple[int, int] = (60, 48)) -> Image.Image:
    """A picture like no other."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def dataset(root: Path, **changes: Any) -> Dataset:
    options = {**yaml.safe_load((CONF / "schema.yaml").read_text()), "name": "drawn", "source": "folder"}
    return dataset_from_mapping({**options, "root": root, "image_size": 32, **changes})


def audit_of(root: Path, **changes: Any) -> Audit:
    chosen = dataset(root, **changes)
    return audit(chosen.spec, chosen.location, root.parent / "cache", 1, None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of thirty, in which every third picture of class a has a smaller copy."""
    for seed in range(60):
        save(rough(seed), tmp_path / "drawn" / "ab"[seed % 2] / f"{seed}.png")
    for seed in range(0, 60, 6):
        save(rough(seed).resize((50, 40)), tmp_path / "drawn" / "a" / f"{seed} small.jpg", quality=85)
    return tmp_path / "drawn"


def test_an_audit_holds_the_manifest_of_a_sweep(root: Path) -> None:
    chosen = dataset(root, near_distance=6)
    manifest = prepare(chosen.spec, chosen.location, root.parent / "other cache", 1, None)
    found = audit_of(root, near_distance=6).manifest
    assert found.fingerprint == manifest.fingerprint
    assert found.notes == manifest.notes
    pd.testing.assert_frame_equal(found.table, manifest.table)


def test_the_figures_of_an_audit_are_those_of_the_folder(root: Path) -> None:
    (root / "b" / "broken.png").write_bytes(b"")
    save(rough(2), root / "b" / "an a.png")
    found = audit_of(root, near_distance=6)
    numbers = summary(found)
    assert numbers["files"] == 72
    assert numbers["pictures"] == 69
    assert numbers["rejected"] == {"conflict": 2, "empty": 1}
    assert numbers["formats"] == {"PNG": 61, "JPEG": 10}
    assert numbers["copies"] == {
        "same_label": {"groups": 10, "pictures": 20},
        "conflicts": {"groups": 1, "pictures": 2},
        "links": {"bytes": 1, "near": 10},
    }
    assert numbers["sizes"]["width"]["max"] == 60
    assert sum(numbers["splits"].values()) == 69


def test_copies_are_listed_once_with_both_sides(root: Path) -> None:
    copies = audit_of(root, near_distance=6).copies
    names = {frozenset(pair) for pair in zip(copies["path"], copies["other_path"], strict=True)}
    assert names == {frozenset((f"a/{seed}.png", f"a/{seed} small.jpg")) for seed in range(0, 60, 6)}
    assert (copies["split"] == copies["other_split"]).all()
    assert sorted(copies["group"]) == list(range(1, 11))


def test_a_folder_without_copies_has_an_empty_list_of_them(root: Path) -> None:
    found = audit_of(root, near_distance=None)
    assert found.copies.empty
    assert found.crossing is None
    assert summary(found)["leaks"] == {}


def test_what_would_cross_is_what_crosses_when_copies_are_ignored(root: Path) -> None:
    respected, ignored = (audit_of(root, near_distance=6, copies=rule) for rule in ("group", "ignore"))
    assert respected.leaks == {}
    table = ignored.manifest.table.set_index("path")["split"]
    test = {path for path in table.index if table[path] == "test"}
    pairs = zip(ignored.copies["path"], ignored.copies["other_path"], strict=True)
    torn = {one for pair in pairs for one, other in itertools.permutations(pair) if one in test and other not in test}
    assert respected.crossing is not None
    assert respected.crossing == (len(torn), len(test))
    assert len(torn) > 0


def test_groups_from_outside_stay_together_in_the_blind_split_too(tmp_path: Path) -> None:
    for seed in range(40):
        for number in range(2):
            save(rough(seed), tmp_path / "drawn" / "ab"[seed % 2] / f"album{seed}-{number}.png")
    assert audit_of(tmp_path / "drawn", group_pattern=r"album(\d+)").crossing == (0, 12)


def test_a_ready_made_split_with_leaks_counts_them(tmp_path: Path) -> None:
    for seed in range(60):
        save(rough(seed), tmp_path / "drawn" / ("train" if seed < 40 else "test") / "ab"[seed % 2] / f"{seed}.png")
    for seed in range(3):
        save(rough(seed), tmp_path / "drawn" / "test" / "ab"[seed % 2] / f"again {seed}.png")
    found = audit_of(tmp_path / "drawn", source="given_split", split="given")
    assert sum(number for (_, later), number in found.leaks.items() if later == "test") == 3
    assert found.crossing is None


def test_the_second_look_remembers_every_file(root: Path) -> None:
    assert audit_of(root).looked == (70, 0)
    assert audit_of(root).looked == (70, 70)


def test_the_suggested_size_enlarges_at_most_half_of_the_pictures(tmp_path: Path) -> None:
    for seed in range(40):
        save(rough(seed, (300, 130) if seed < 25 else (70, 70)), tmp_path / "drawn" / "ab"[seed % 2] / f"{seed}.png")
    found = audit_of(tmp_path / "drawn")
    assert suggested_size(found) == 128
    sentences = " ".join(advice(found))
    assert "128 px" in sentences
    assert "38% of the pictures are smaller" in sentences
    assert "resize=crop or resize=pad" in sentences


def test_a_test_set_is_judged_as_the_binomial_distribution_does() -> None:
    simulated = np.random.default_rng(0).binomial(400, 0.8, 200_000) / 400
    low, high = np.quantile(simulated, [0.025, 0.975])
    assert half_width(400, 0.8) == pytest.approx((high - low) / 2, rel=0.03)


def test_a_visible_difference_is_found_four_times_in_five() -> None:
    generator, pictures = np.random.default_rng(0), 2000
    difference = visible_difference(pictures)
    wins = [(0.1 + difference) / 2, (0.1 - difference) / 2]
    counts = generator.multinomial(pictures, [*wins, 1 - sum(wins)], 20_000)
    first, second = counts[:, 0], counts[:, 1]
    score = (first - second) / np.sqrt(first + second)
    assert np.mean(np.abs(score) > stats.norm.ppf(0.975)) == pytest.approx(0.8, abs=0.02)


def test_a_distance_that_links_what_is_only_alike_is_pointed_out(tmp_path: Path) -> None:
    for seed in range(60):
        noise = np.random.default_rng(seed).integers(0, 6, (48, 48, 3), np.uint8)
        pixels = np.asarray(rough(0, (48, 48))) // 2 + noise
        save(Image.fromarray(pixels.astype(np.uint8)), tmp_path / "drawn" / "a" / f"{seed}.png")
        save(rough(seed + 100), tmp_path / "drawn" / "b" / f"{seed}.png")
    found = audit_of(tmp_path / "drawn", near_distance=4, copies="ignore")
    [hint] = [sentence for sentence in advice(found) if "near_distance=4 links" in sentence]
    assert "60 pictures into one group (such as a/" in hint


def test_folders_named_train_and_val_look_like_a_split(root: Path) -> None:
    (root / "a").rename(root / "train")
    (root / "b").rename(root / "val")
    assert "given_split" in advice(audit_of(root))[0]


def test_an_imbalance_is_said_with_both_classes(root: Path) -> None:
    for path in sorted((root / "b").iterdir())[9:]:
        path.unlink()
    assert any("'a' has 4.4 times as many pictures as 'b'" in sentence for sentence in advice(audit_of(root)))


def test_reasons_are_told_apart_by_kind() -> None:
    reasons = ["empty: the file has 0 bytes", "copy of a/1: x.png", "conflict: a, b", "truncated: 3 bytes"]
    kinds = reason_kinds(pd.DataFrame({"reason": reasons}))
    assert kinds.tolist() == ["empty", "copy of a picture that is used", "conflict", "truncated"]


def test_extensions_that_lie_are_counted() -> None:
    table = pd.DataFrame(
        {"path": ["a.jpg", "a.JPEG", "a.png", "b.png", "c", "d.tif"],
         "format": ["JPEG", "JPEG", "JPEG", "PNG", "PNG", "TIFF"]}
    )  # fmt: skip
    assert wrong_extensions(table).tolist() == [False, False, True, False, True, False]


@pytest.mark.parametrize("quality", [84, 60])
def test_error_levels_dip_at_the_quality_a_picture_was_saved_at(quality: int) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).filter(ImageFilter.GaussianBlur(1)).save(buffer, "JPEG", quality=quality)
    errors = error_levels(Image.open(buffer).convert("RGB")).errors
    place = QUALITIES.index(quality)
    assert errors[place] < min(errors[place - 1], errors[place + 1])


def test_error_levels_of_a_drawn_picture_grow_as_quality_falls() -> None:
    found = error_levels(rough(1, (200, 150)))
    assert list(found.bytes) == sorted(found.bytes, reverse=True)
    assert found.errors[0] < found.errors[-1]
    assert found.map.size == (200, 150)
