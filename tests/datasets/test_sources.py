"""Sources: a contract that finds each of them by itself, then what is particular to each."""

import csv
import hashlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from datasets.errors import DataContractBroken, DatasetUsageError
from datasets.generated import long_tail
from datasets.pixels import pixels
from datasets.sources import SourceRows, find_source, source_names
from datasets.sources.shapes import NAMES, draw
from datasets.spec import ShapesRule

CONF = Path(__file__).resolve().parents[2] / "conf" / "dataset"
SHAPES = {"classes": 3, "per_class": 12, "imbalance": 2.0, "difficulty": 0.3, "size": 24, "seed": 0}


@pytest.fixture
def location(class_folders, tmp_path):
    """Options that let each source find pictures."""
    root = class_folders(tmp_path / "pictures" / "train", cat=12, dog=12).parent
    write_table(tmp_path / "table.csv", [("train/cat/000.png", "cat"), ("train/dog/000.png", "dog")])
    return {"root": root, "table": tmp_path / "table.csv"}


def write_table(path, rows, header=("path", "label")):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.mark.parametrize("name", source_names())
def test_every_source_gives_files_with_labels(name, dataset, location, tmp_path):
    function = find_source(name)
    chosen = dataset(name, **location)
    rows = function(chosen.spec, chosen.location, tmp_path / "cache")
    assert isinstance(rows, SourceRows)
    assert rows.root.is_absolute()
    assert rows.entries
    assert {entry.label for entry in rows.entries} <= rows.classes
    for entry in rows.entries:
        assert not entry.file.path.startswith("/")
        assert (rows.root / entry.file.path).stat().st_size == entry.file.size
        assert entry.split in (None, "train", "val", "test")


@pytest.mark.parametrize("name", source_names())
def test_every_source_has_a_file_of_options_and_says_what_it_does(name):
    assert (CONF / f"{name}.yaml").is_file()
    assert len(inspect.getdoc(find_source(name)) or "") > 30


def test_a_source_is_found_by_its_name_and_a_wrong_one_gets_a_suggestion():
    with pytest.raises(DatasetUsageError, match=r"unknown source 'shpaes' .* did you mean 'shapes'\?"):
        find_source("shpaes")


class TestTable:
    """Pictures listed in a CSV file."""

    @pytest.fixture
    def root(self, class_folders):
        return class_folders(cat=12, dog=12)

    @pytest.fixture
    def table(self, root, tmp_path):
        rows = [(path.relative_to(root).as_posix(), path.parent.name) for path in sorted(root.glob("*/*.png"))]

        def make(extra=(), header=("path", "label"), more=lambda path: ()):
            content = [(*row, *more(row[0])) for row in rows]
            return write_table(tmp_path / "table.csv", [*content, *extra], header)

        return make

    def test_paths_start_from_the_root_or_from_the_tables_folder(self, prepared, root, table):
        path = table()
        first = prepared("table", table=path, root=root)
        path.rename(root / "table.csv")
        assert prepared("table", table=root / "table.csv").fingerprint == first.fingerprint

    def test_it_gives_the_fingerprint_that_folders_give(self, prepared, root, table):
        assert prepared("table", table=table(), root=root).fingerprint == prepared(root=root).fingerprint

    def test_absolute_paths_within_the_root_are_the_same_pictures(self, prepared, root, tmp_path):
        rows = [(str(path), path.parent.name) for path in root.glob("*/*.png")]
        manifest = prepared("table", table=write_table(tmp_path / "table.csv", rows), root=root)
        assert manifest.fingerprint == prepared(root=root).fingerprint
        assert not manifest.table["path"].str.startswith("/").any()

    def test_paths_out_of_the_root_are_rejected_unless_allowed(self, prepared, root, table, draw, tmp_path):
        (tmp_path / "outside").mkdir()
        draw(77).save(tmp_path / "outside" / "x.png")
        extra = [("../outside/x.png", "cat"), (str(tmp_path / "outside" / "x.png"), "cat")]
        manifest = prepared("table", table=table(extra[:1]), root=root)
        assert manifest.rejected["reason"].str.startswith("outside of the root").tolist() == [True]
        for one in extra:
            allowed = prepared("table", table=table([one]), root=root, allow_outside_root=True)
            assert len(allowed.table) == 25

    def test_other_columns_can_be_named(self, prepared, root, table):
        path = table(header=("file", "species"))
        manifest = prepared("table", table=path, root=root, path_column="file", label_column="species")
        assert manifest.counts.to_numpy().sum() == 24

    def test_a_split_column_is_kept(self, prepared, root, table):
        def more(path):
            return ("test" if "00" in path else "validation" if "01" in path and path[-5] == "0" else "train",)

        manifest = prepared(
            "table", table=table(header=("path", "label", "part"), more=more), root=root, split="given",
            split_column="part",
        )  # fmt: skip
        assert manifest.counts.loc["cat"].tolist() == [1, 1, 10]

    def test_a_group_column_is_respected(self, prepared, root, table):
        path = table(header=("path", "label", "album"), more=lambda path: (f"{path[:3]}{int(path[4:7]) // 3}",))
        manifest = prepared("table", table=path, root=root, group_column="album")
        albums = manifest.table["path"].str[:3] + (manifest.table["path"].str[4:7].astype(int) // 3).astype(str)
        assert (manifest.table["split"].groupby(albums).nunique() == 1).all()

    def test_bad_rows_are_listed_with_their_reason(self, prepared, root, table):
        extra = [
            ("missing.png", "cat"), ("", "cat"), ("cat/000.png", "cat"), ("./cat/001.png", "dog"), ("cat", "cat"),
            ("dog/000.png", ""),
        ]  # fmt: skip
        rejected = prepared("table", table=table(extra), root=root).rejected
        reasons = rejected.set_index("path")["reason"].to_dict()
        assert reasons == {
            "missing.png": "missing: no such file, or a link that leads nowhere",
            "": "incomplete row: no path",
            "cat/000.png": "listed twice: the first row counts",
            "./cat/001.png": "listed twice, with the labels 'cat' and 'dog': the first row counts",
            "cat": "not a regular file: a pipe, socket, device or folder",
            "dog/000.png": "incomplete row: no label",
        }

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"table": None}, "dataset.table is not set"),
            ({"table": "nowhere.csv"}, "dataset.table=nowhere.csv does not exist"),
            ({"path_column": "pth"}, r"has no column 'pth'; .*did you mean 'path'\?"),
            ({"label_column": "class"}, r"has no column 'class'; .*dataset.label_column"),
            ({"split_column": "part", "split": "given"}, "has no column 'part'"),
            ({"root": "nowhere"}, "dataset.root=nowhere does not exist"),
        ],
    )
    def test_a_mistake_gets_its_sentence(self, changes, sentence, prepared, root, table):
        with pytest.raises(DatasetUsageError, match=sentence):
            prepared("table", **({"table": table(), "root": root} | changes))

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe\0\x01path", b'path,label\n"a,b\n'])
    def test_a_file_that_is_no_csv(self, content, prepared, root, tmp_path):
        (tmp_path / "table.csv").write_bytes(content)
        with pytest.raises(DataContractBroken, match="is no readable CSV"):
            prepared("table", table=tmp_path / "table.csv", root=root)

    def test_an_unknown_split_is_named(self, prepared, root, table):
        path = table(header=("path", "label", "part"), more=lambda path: ("training",))
        with pytest.raises(DataContractBroken, match="has the split 'training', expected one of train, val"):
            prepared("table", table=path, root=root, split="given", split_column="part")

    def test_a_table_from_a_spreadsheet_is_read(self, prepared, root, table):
        path = table()
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
        assert len(prepared("table", table=path, root=root).table) == 24


class TestGivenSplit:
    """Ready-made folders of splits."""

    @pytest.fixture
    def root(self, class_folders, tmp_path):
        for number, part in enumerate(("train", "valid", "test")):
            class_folders(tmp_path / "pictures" / part, first_seed=100 * number, cat=6, dog=6)
        return tmp_path / "pictures"

    def test_folders_with_the_usual_names_need_no_mapping(self, prepared, root):
        assert prepared("given_split", root=root).counts.to_numpy().tolist() == [[6, 6, 6], [6, 6, 6]]

    def test_several_folders_can_be_one_split(self, prepared, root):
        parts = {"train": "train", "valid": "train", "test": "test"}
        assert prepared("given_split", root=root, parts=parts).counts.loc["cat", "test"] == 6

    @pytest.mark.parametrize(
        ("parts", "sentence"),
        [
            ({"trian": "train", "test": "test"}, "names 'trian', no folder of"),
            ({"valid": "val", "test": "test"}, "names no folder for train"),
            ({"train": "training"}, "dataset.parts"),
        ],
    )
    def test_a_mistake_in_the_parts_gets_its_sentence(self, parts, sentence, prepared, root):
        with pytest.raises(DatasetUsageError, match=re.escape(sentence)):
            prepared("given_split", root=root, parts=parts)

    @pytest.mark.parametrize("lead", ["up", "absolute", "link", "standard link"])
    def test_a_part_out_of_the_root_is_refused_unless_allowed(self, lead, prepared, root, class_folders):
        outside = class_folders(root.parent / "outside", first_seed=500, cat=6, dog=6)
        if "link" in lead:
            shutil.rmtree(root / "train")
            (root / "train").symlink_to(outside)
        name = {"up": "../outside", "absolute": str(outside)}.get(lead, "train")
        parts = None if lead == "standard link" else {name: "train", "test": "test"}
        with pytest.raises(DatasetUsageError, match="outside of the root: set allow_outside_root=true"):
            prepared("given_split", root=root, parts=parts)
        allowed = prepared("given_split", root=root, parts=parts, allow_outside_root=True)
        assert set(allowed.table["label"][allowed.table["split"] == "train"]) == {"cat", "dog"}

    def test_an_absolute_part_within_the_root_is_the_same_folder(self, prepared, root):
        parts = {"train": "train", "test": "test"}
        absolute = {str(root / name): split for name, split in parts.items()}
        first, second = (prepared("given_split", root=root, parts=one) for one in (parts, absolute))
        assert first.table["path"].tolist() == second.table["path"].tolist()

    def test_a_folder_without_parts_is_refused(self, prepared, class_folders):
        with pytest.raises(DatasetUsageError, match="no folder 'train' in"):
            prepared("given_split", root=class_folders(cat=3, dog=3))

    def test_a_class_that_is_in_one_part_only(self, prepared, root, draw):
        (root / "train" / "emu").mkdir()
        for number in range(5):
            draw(900 + number).save(root / "train" / "emu" / f"{number}.png")
        with pytest.raises(DataContractBroken, match="class 'emu'"):
            prepared("given_split", root=root)


class TestDigits:
    """scikit-learn's digits as files."""

    def test_the_counts_follow_the_documented_rule(self, prepared):
        counts = prepared("digits").counts.sum(axis=1)
        expected = [round(174 * 3 ** (-k / 9)) for k in range(10)]
        assert counts.index.tolist() == [str(k) for k in range(10)]
        assert counts.tolist() == expected
        assert (expected[0], expected[-1], sum(expected)) == (174, 58, 1069)

    def test_the_files_hold_the_original_values(self, prepared):
        manifest = prepared("digits")
        bunch = load_digits()
        for path, label in zip(manifest.table["path"][:50], manifest.table["label"], strict=False):
            index = int(Path(path).stem)
            with Image.open(manifest.root / path) as image:
                values = np.asarray(image)[::4, ::4]
            assert (np.rint(values / 255 * 16) == bunch.images[index]).all()
            assert int(label) == bunch.target[index]

    def test_seed_and_imbalance_choose_other_pictures(self, prepared):
        prints = {
            prepared("digits", digits={"size": 16, "imbalance": imbalance, "seed": seed}).fingerprint
            for imbalance in (1.0, 3.0)
            for seed in (0, 1)
        }
        assert len(prints) == 4


class TestShapes:
    """Drawn shapes."""

    def test_the_counts_follow_the_rule(self, prepared):
        counts = prepared("shapes", shapes=SHAPES).counts.sum(axis=1)
        assert counts.to_dict() == {"circle": 12, "square": round(12 * 2**-0.5), "triangle": 6}

    def test_the_same_rule_draws_the_same_pixels_in_every_process(self):
        code = (
            "import hashlib, json, sys\n"
            "from datasets.sources.shapes import NAMES, draw\n"
            "from datasets.spec import ShapesRule\n"
            "rule = ShapesRule(**json.loads(sys.argv[1]))\n"
            "print(hashlib.sha256(b''.join(draw(rule, name, 7).tobytes() for name in NAMES)).hexdigest())\n"
        )
        found = set()
        for salt in ("1", "2"):
            command = [sys.executable, "-c", code, json.dumps(SHAPES)]
            environment = os.environ | {"PYTHONHASHSEED": salt}
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            found.add(done.stdout.strip())
        pictures = b"".join(draw(ShapesRule(**SHAPES), name, 7).tobytes() for name in NAMES)
        assert found == {hashlib.sha256(pictures).hexdigest()}

    def test_more_pictures_leave_the_first_ones_as_they_are(self):
        few, many = ShapesRule(**SHAPES), ShapesRule(**SHAPES | {"per_class": 500, "classes": 8})
        assert (np.asarray(draw(few, "star", 3)) == np.asarray(draw(many, "star", 3))).all()

    @pytest.mark.parametrize("size", [16, 33, 200])
    @pytest.mark.parametrize("difficulty", [0.0, 0.5, 1.0])
    @pytest.mark.parametrize("name", NAMES)
    def test_every_shape_is_seen_at_every_size_and_difficulty(self, name, difficulty, size):
        picture = draw(ShapesRule(**SHAPES | {"size": size, "difficulty": difficulty}), name, 0)
        assert (picture.size, picture.mode) == ((size, size), "RGB")
        assert np.asarray(picture).std() > 5

    def test_difficulty_makes_it_harder(self, prepared, tmp_path):
        scores = []
        for difficulty in (0.0, 1.0):
            rule = SHAPES | {"per_class": 60, "imbalance": 1.0, "difficulty": difficulty}
            manifest = prepared("shapes", shapes=rule)
            array = pixels(manifest, 24, "squish", tmp_path / "cache", 1, None).array.mean(axis=3).reshape(-1, 576)
            array = np.abs(array - np.median(array, axis=1, keepdims=True))
            train = (manifest.table["split"] == "train").to_numpy()
            model = LogisticRegression(max_iter=2000, C=1e-4).fit(array[train], manifest.labels[train])
            scores.append(model.score(array[~train], manifest.labels[~train]))
        assert scores[0] > scores[1] + 0.1

    def test_missing_files_are_drawn_again(self, prepared):
        manifest = prepared("shapes", shapes=SHAPES)
        (manifest.root / manifest.table["path"][0]).unlink()
        assert prepared("shapes", shapes=SHAPES).fingerprint == manifest.fingerprint

    def test_other_options_of_the_data_set_use_the_same_files(self, prepared):
        first = prepared("shapes", shapes=SHAPES)
        again = prepared("shapes", shapes=SHAPES, split_seed=4, image_size=16)
        assert again.root == first.root
        assert len(os.listdir(first.root.parent)) == 3


@pytest.mark.parametrize("imbalance", [1.0, 2.0, 10.0])
def test_a_long_tail_falls_from_the_largest_to_its_share(imbalance):
    counts = long_tail(100, imbalance, 5)
    assert counts[0] == 100
    assert counts[-1] == round(100 / imbalance)
    assert counts == sorted(counts, reverse=True)
    assert counts[2] == round(100 / imbalance**0.5)
