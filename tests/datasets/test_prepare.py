"""From folders to a manifest: splits, copies, conflicts, leaks, small classes, and each mistake's sentence."""

import re

import numpy as np
import pytest
from PIL import ImageEnhance, ImageOps

from datasets.errors import DataContractBroken, DatasetUsageError


def split_of(manifest):
    return dict(zip(manifest.table["path"], manifest.table["split"], strict=True))


def said(manifest, text):
    return [note for note in manifest.notes if re.search(text, note)]


def test_a_holdout_has_the_fractions_in_every_class(prepared, class_folders):
    manifest = prepared(root=class_folders(cat=40, dog=20))
    assert manifest.counts.loc["cat"].tolist() == [28, 6, 6]
    assert manifest.counts.loc["dog"].tolist() == [14, 3, 3]
    assert manifest.notes == ()


def test_the_folds_of_kfold_are_disjoint_test_sets_that_cover_everything(prepared, class_folders):
    root = class_folders(cat=23, dog=17)
    tests = []
    for fold in range(4):
        manifest = prepared(root=root, split="kfold", folds=4, fold=fold)
        tests.append(set(manifest.table["path"][manifest.table["split"] == "test"]))
        assert (manifest.counts.to_numpy() > 0).all()
    assert sum(len(paths) for paths in tests) == len(set().union(*tests)) == 40


def test_copies_stay_in_one_split_and_are_said(prepared, class_folders, draw):
    root = class_folders(cat=20, dog=20)
    for number in range(6):
        draw(number).resize((80, 60)).save(root / "cat" / f"larger{number}.jpg", quality=90)
    manifest = prepared(root=root)
    split, group = split_of(manifest), dict(zip(manifest.table["path"], manifest.table["group"], strict=True))
    for number in range(6):
        one, other = f"cat/{number:03d}.png", f"cat/larger{number}.jpg"
        assert (split[one], group[one]) == (split[other], group[other])
    assert said(manifest, r"12 pictures are copies of others \(6 groups\)")
    assert manifest.table["group"].nunique() == 40


def test_of_copies_only_the_largest_is_used_when_asked(prepared, class_folders, draw):
    root = class_folders(cat=20, dog=20)
    draw(3).resize((80, 60)).save(root / "cat" / "larger.png")
    manifest = prepared(root=root, copies="drop")
    assert "cat/larger.png" in split_of(manifest)
    assert manifest.rejected.to_dict("records") == [
        {"path": "cat/003.png", "reason": "copy of cat/larger.png", "class": "cat"}
    ]


def test_ignored_copies_are_separate_and_counted_as_leaks(prepared, class_folders, draw):
    root = class_folders(cat=20, dog=20)
    for number in range(20):
        draw(number).save(root / "cat" / f"again{number}.png")
    manifest = prepared(root=root, copies="ignore")
    assert said(manifest, r"leak: \d+ pictures of train have a copy or companion in test .*copies=group prevents it")
    assert manifest.table["group"].nunique() == 60


def test_a_picture_with_two_labels_is_left_out_or_kept_when_asked(prepared, class_folders, draw):
    root = class_folders(cat=20, dog=20)
    draw(3).save(root / "dog" / "cat after all.bmp")
    manifest = prepared(root=root)
    assert manifest.rejected["path"].tolist() == ["cat/003.png", "dog/cat after all.bmp"]
    assert set(manifest.rejected["reason"]) == {"conflict: copies of this picture are labelled cat, dog"}
    kept = prepared(root=root, conflicts="keep")
    assert len(kept.table) == 41
    assert split_of(kept)["cat/003.png"] == split_of(kept)["dog/cat after all.bmp"]
    assert said(kept, "kept")


def test_a_mirror_image_with_another_label_is_no_conflict_but_one_with_the_same_is_a_copy(
    prepared, class_folders, draw
):
    root = class_folders(cat=20, dog=20)
    ImageOps.mirror(draw(3)).save(root / "dog" / "mirrored.png")
    ImageOps.mirror(draw(4)).save(root / "cat" / "mirrored.png")
    manifest = prepared(root=root)
    assert len(manifest.rejected) == 0
    assert split_of(manifest)["cat/mirrored.png"] == split_of(manifest)["cat/004.png"]
    assert said(manifest, "2 pictures are copies")


def test_without_a_distance_only_equal_pixels_are_copies(prepared, class_folders, draw):
    root = class_folders(cat=20, dog=20)
    ImageEnhance.Brightness(draw(3)).enhance(0.8).save(root / "cat" / "darker.png")
    draw(4).save(root / "cat" / "same.bmp")
    assert said(prepared(root=root, near_distance=None), "2 pictures are copies")
    assert said(prepared(root=root), "4 pictures are copies")


@pytest.mark.parametrize("pattern", [r"/(\d)\d\d\.png", r"(?P<group>/\d)\d\d", r"/\d(?=\d\d)"])
def test_a_pattern_keeps_albums_together(pattern, prepared, class_folders):
    root = class_folders(cat=60, dog=60)
    for path in root.glob("*/*.png"):
        path.rename(path.with_name(f"{int(path.stem) // 8}{path.name[1:]}"))
    manifest = prepared(root=root, group_pattern=pattern)
    albums = manifest.table["path"].str[4]
    assert (manifest.table["split"].groupby(albums).nunique() == 1).all()
    assert (manifest.counts.to_numpy() > 0).all()
    assert said(manifest, "found a group for 120 of 120 pictures")


def test_a_maximum_per_class_is_kept_by_content_and_said(prepared, class_folders):
    root = class_folders(cat=30, dog=12)
    manifest = prepared(root=root, max_per_class=10)
    assert manifest.counts.sum(axis=1).tolist() == [10, 10]
    assert said(manifest, "max_per_class=10: 20 of 42 pictures")
    assert manifest.fingerprint == prepared(root=root, max_per_class=10).fingerprint
    other = prepared(root=root, max_per_class=10, split_seed=1)
    assert set(other.table["path"]) != set(manifest.table["path"])


def test_an_explicit_class_order_leaves_the_others_out(prepared, class_folders):
    manifest = prepared(root=class_folders(cat=9, dog=9, emu=9), classes=["emu", "cat"])
    assert manifest.classes == ("emu", "cat")
    assert set(manifest.table["label"]) == {"emu", "cat"}
    assert said(manifest, "left out, because dataset.classes does not name them: dog")


@pytest.mark.parametrize("split", [{}, {"split": "kfold", "fold": 0, "folds": 3}])
def test_a_class_too_small_is_refused_or_left_out_by_name(split, prepared, class_folders):
    root = class_folders(cat=20, dog=20, emu=2)
    with pytest.raises(DataContractBroken, match=r"class 'emu' has 2 usable pictures .*small_classes=drop"):
        prepared(root=root, **split)
    manifest = prepared(root=root, small_classes="drop", **split)
    assert manifest.classes == ("cat", "dog")
    assert said(manifest, "left out: class 'emu'")
    assert manifest.rejected["reason"].tolist() == ["class left out"] * 2


def test_pictures_of_one_group_do_not_make_a_class_large_enough(prepared, class_folders, draw):
    root = class_folders(cat=20, emu=2)
    for number in range(9):
        draw(20).save(root / "emu" / f"again{number}.png")
    with pytest.raises(DataContractBroken, match="11 usable pictures in 2 independent groups"):
        prepared(root=root)


def test_an_empty_class_folder_is_a_class_without_pictures(prepared, class_folders):
    root = class_folders(cat=20, dog=20)
    (root / "emu").mkdir()
    with pytest.raises(DataContractBroken, match="class 'emu' has 0 usable pictures"):
        prepared(root=root)


def test_unreadable_files_and_strays_are_listed_with_reason_and_class(prepared, class_folders, draw):
    root = class_folders(cat=20, dog=20)
    (root / "cat" / "broken.png").write_bytes(b"")
    (root / "dog" / "notes.txt").write_text("x")
    draw(77).save(root / "stray.png")
    (root / "cat" / ".hidden").write_text("x")
    manifest = prepared(root=root)
    assert manifest.rejected.to_dict("records") == [
        {"path": "stray.png", "reason": "in no class folder: it lies directly in the root", "class": ""},
        {"path": "cat/broken.png", "reason": "empty: the file has 0 bytes", "class": "cat"},
        {"path": "dog/notes.txt", "reason": "not an image: no known format in its first bytes", "class": "dog"},
    ]
    assert said(manifest, "1 hidden file")
    assert (root / "cat" / "broken.png").exists()


@pytest.fixture
def halves(class_folders, tmp_path):
    """Folders train and val with two classes each, 30 and 10 pictures per class."""
    class_folders(tmp_path / "pictures" / "train", cat=30, dog=30)
    return class_folders(tmp_path / "pictures" / "val", first_seed=100, cat=10, dog=10).parent


def test_a_folder_can_serve_as_another_split_and_the_missing_one_is_carved_out_of_train(prepared, halves):
    manifest = prepared("given_split", root=halves, parts={"train": "train", "val": "test"})
    assert set(manifest.table["path"][manifest.table["split"] == "test"].str[:3]) == {"val"}
    assert manifest.counts.loc["cat"].tolist() == [25, 5, 10]
    assert said(manifest, "no validation part: 10 pictures were carved out of train")


def test_a_missing_test_part_is_carved_out_as_well(prepared, halves):
    manifest = prepared("given_split", root=halves)
    assert manifest.counts.loc["cat"].tolist() == [25, 10, 5]
    assert said(manifest, "no test part: 10 pictures were carved out of train")


def test_a_given_split_can_be_set_aside(prepared, halves):
    assert prepared("given_split", root=halves, split="holdout").counts.loc["cat"].tolist() == [28, 6, 6]


def test_leaks_of_a_given_split_are_named_and_taken_out_of_training_when_asked(prepared, halves, draw):
    for number in range(4):
        draw(number).resize((80, 60)).save(halves / "val" / "cat" / f"leaked{number}.png")
    parts = {"train": "train", "val": "test"}
    leaking = prepared("given_split", root=halves, parts=parts)
    assert said(leaking, r"leak: [1-4] pictures of train have a copy or companion in test \(such as train/cat/00")
    fixed = prepared("given_split", root=halves, parts=parts, fix_leaks=True)
    assert not said(fixed, "^leak")
    assert said(fixed, "4 pictures with a companion in a later split were taken out")
    assert set(fixed.rejected["path"]) == {f"train/cat/{number:03d}.png" for number in range(4)}
    assert (fixed.table["split"] == "test").sum() == 24


def test_the_carved_validation_part_divides_no_group(prepared, halves, draw):
    for number in range(10):
        draw(number).resize((80, 60)).save(halves / "train" / "cat" / f"copy{number}.png")
    split = split_of(prepared("given_split", root=halves, parts={"train": "train", "val": "test"}))
    for number in range(10):
        assert split[f"train/cat/{number:03d}.png"] == split[f"train/cat/copy{number}.png"]


def test_the_split_depends_on_its_seed_alone(prepared, class_folders):
    root = class_folders(cat=30, dog=30)
    first = split_of(prepared(root=root))
    np.random.default_rng(5).random(7)
    assert split_of(prepared(root=root, name="other", image_size=99)) == first
    assert split_of(prepared(root=root, split_seed=1)) != first


def test_an_empty_folder(prepared, tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataContractBroken, match=r"found no picture file .*expected one folder"):
        prepared(root=tmp_path / "pictures")


def test_a_folder_of_broken_files_only(prepared, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(5):
            (tmp_path / "pictures" / label / f"{number}.png").write_bytes(b"x")
    with pytest.raises(DataContractBroken, match=r"none of the 10 files .* is a usable picture, .*not an image"):
        prepared(root=tmp_path / "pictures")


def test_one_class_only(prepared, class_folders):
    with pytest.raises(DataContractBroken, match=r"found one class only \('cat'\)"):
        prepared(root=class_folders(cat=10))


def test_fewer_than_two_classes_left(prepared, class_folders):
    with pytest.raises(DataContractBroken, match="fewer than two classes are left"):
        prepared(root=class_folders(cat=10, dog=2), small_classes="drop")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"root": None}, "dataset.root is not set"),
        ({"root": "nowhere"}, "dataset.root=nowhere does not exist"),
        ({"classes": ["cat", "doog"]}, "names 'doog', which is not there; did you mean 'dog'?"),
        ({"group_pattern": "(["}, "is no regular expression"),
        ({"source": "foldr"}, "unknown source 'foldr' in dataset.source; did you mean 'folder'?"),
        ({"split": "given"}, "source 'folder' gives no split"),
        ({"max_per_class": 2}, "max_per_class=2 leaves fewer pictures than min_per_class=3"),
    ],
)
def test_a_mistake_in_the_options_gets_its_sentence(changes, sentence, prepared, class_folders):
    root = class_folders(cat=9, dog=9)
    with pytest.raises(DatasetUsageError, match=re.escape(sentence)):
        prepared(**({"root": root} | changes))


def test_a_file_in_place_of_the_folder(prepared, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetUsageError, match="is not a folder"):
        prepared(root=tmp_path / "file")
