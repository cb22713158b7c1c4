import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.cli import run
from benchmark.cli.dataset_options import plain_name
from benchmark.errors import DATA, DONE, INTERRUPTED, USAGE

FILES = {"manifest.csv", "manifest.json", "quarantine.csv", "copies.csv", "summary.json", "audit.html"}


def draw(path: Path, seed: int) -> None:
    """A picture like no other, 48 x 40."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rough).resize((48, 40), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of twelve pictures, a copy, a conflict and a broken file; the test works beside them."""
    root = tmp_path / "pictures"
    for seed in range(24):
        draw(root / ("ants" if seed < 12 else "bees") / f"{seed}.png", seed)
    draw(root / "ants" / "copy of 3.png", 3)
    draw(root / "bees" / "an ant.png", 5)
    (root / "bees" / "broken.jpg").write_bytes(b"no picture at all")
    monkeypatch.chdir(tmp_path)
    return root


def test_an_audit_leaves_its_files_and_says_what_it_saw(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", str(pictures)]) == DONE
    said = capsys.readouterr().out
    assert "pictures: 24 pictures in 2 classes: 16 train, 4 val, 4 test" in said
    assert "27 files: 0 known from an earlier look, 27 opened" in said
    assert "1 not an image" in said
    assert "copies with one label (the same pixels, or hashes of at most 4 other bits): 2 pictures in 1 group" in said
    assert "conflicts, one picture with two labels: 2 pictures in 1 group" in said
    assert {path.name for path in Path("results/audits/pictures").iterdir()} == FILES


def test_the_copies_are_listed_with_their_kind_and_relation(pictures: Path) -> None:
    run(["audit", str(pictures)])
    copies = pd.read_csv("results/audits/pictures/copies.csv", keep_default_na=False)
    assert set(zip(copies["relation"], copies["kind"], copies["path"], strict=True)) == {
        ("same label", "bytes", "ants/3.png"),
        ("conflict", "bytes", "ants/5.png"),
    }
    assert set(copies.loc[copies["relation"] == "conflict", "split"]) == {""}


def test_a_second_audit_opens_no_picture_and_changes_no_file(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["audit", str(pictures)])
    before = {path: path.stat().st_mtime_ns for path in Path("results/audits/pictures").iterdir()}
    for picture in pictures.rglob("*.png"):
        status = picture.stat()
        picture.write_bytes(b"0" * status.st_size)  # whoever opened it would now be told something else
        os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns))
    capsys.readouterr()
    assert run(["audit", str(pictures)]) == DONE
    said = capsys.readouterr().out
    assert "27 files: 27 known from an earlier look, 0 opened" in said
    assert "(unchanged)" in said
    assert {path: path.stat().st_mtime_ns for path in Path("results/audits/pictures").iterdir()} == before


def test_an_audit_that_takes_the_place_of_another_says_so(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["audit", str(pictures)])
    assert "in place of" not in capsys.readouterr().out
    run(["audit", str(pictures), "max_per_class=3"])
    assert "audit.html (in place of an earlier audit of this name; --name keeps both)" in capsys.readouterr().out
    run(["audit", str(pictures), "--name", "other"])
    assert "in place of" not in capsys.readouterr().out


def test_json_on_the_terminal_is_the_summary_file(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", str(pictures), "--name", "mine", "--format", "json"]) == DONE
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(Path("results/audits/mine/summary.json").read_text("utf-8"))
    assert said["splits"] == {"train": 16, "val": 4, "test": 4}
    assert said["rejected"] == {"conflict": 2, "not an image": 1}


def test_two_folders_with_the_same_pictures_give_the_same_summary(pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(pictures, tmp_path / "else")
    run(["audit", str(pictures), "--name", "same"])
    first = Path("results/audits/same/summary.json").read_bytes()
    run(["audit", str(tmp_path / "else"), "--name", "same"])
    assert Path("results/audits/same/summary.json").read_bytes() == first
    assert json.loads(Path("results/audits/same/manifest.json").read_text("utf-8"))["root"].endswith("else")


def test_options_may_be_words_or_flags(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["audit", str(pictures), "dataset.copies=drop", "fractions.test=0.25", "fractions.train=0.5"]
    assert run([*words, "fractions.val=0.25", "--near-distance", "null", "--format", "json"]) == DONE
    said = json.loads(capsys.readouterr().out)
    assert said["rejected"]["copy of a picture that is used"] == 1
    assert said["splits"] == {"train": 11, "val": 6, "test": 6}
    assert said["crossing"] is None


def test_a_ready_made_split_is_read_and_its_leaks_are_counted(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "parted"
    for seed in range(40):
        draw(root / ("train" if seed < 28 else "val") / ("ants" if seed % 2 else "bees") / f"{seed}.png", seed)
    draw(root / "val" / "ants" / "seen before.png", 1)
    words = ["audit", str(root), "--source", "given_split", "parts={train: train, val: test}"]
    assert run([*words, "--format", "json"]) == DONE
    said = json.loads(capsys.readouterr().out)
    assert said["splits"]["test"] == 13
    assert sum(said["leaks"].values()) == 1
    assert any("no validation part" in note for note in said["notes"])


def test_built_in_pictures_need_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["audit", "--source", "shapes", "shapes.per_class=12", "shapes.classes=2", "shapes.imbalance=1"]
    assert run([*words, "--results", str(tmp_path), "--format", "json"]) == DONE
    assert json.loads(capsys.readouterr().out)["pictures"] == 24


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["no/such/folder"], USAGE, "does not exist"),
        ([], USAGE, "found no folder"),
        (["pictures", "near_distanse=2"], USAGE, "did you mean 'near_distance'?"),
        (["pictures", "--source", "foldr"], USAGE, "did you mean 'folder'?"),
        (["pictures", "--copies", "grup"], USAGE, "dataset.copies"),
        (["pictures", "more"], USAGE, "found two folders"),
        (["pictures", "--name", "../up"], USAGE, "(found '../up')"),
        (["pictures", "--group-pattern", "("], USAGE, "is no regular expression"),
        (["pictures", "parts={"], USAGE, "expected a value as YAML writes it"),
        (["pictures", "min_per_class=100"], DATA, "too few"),
        (["pictures/ants"], DATA, "expected one folder for each class"),
    ],
)
def test_mistakes_are_answered_in_one_sentence(
    words: list[str], code: int, sentence: str, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", *words]) == code
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert sentence in said
    assert said.count("\n") == 1


def test_names_that_would_steer_the_terminal_are_shown_harmless(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "ants").rename(pictures / "ants\x1b[2J")
    assert run(["audit", str(pictures)]) == DONE
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "ants\\x1b[2J" in said


@pytest.mark.parametrize(
    ("place", "name"), [("a/My pictures (2)", "My-pictures-2"), ("b/…", "pictures"), ("c/labels.csv", "labels")]
)
def test_an_audit_is_named_after_its_folder(place: str, name: str) -> None:
    assert plain_name(Path(place)) == name


def test_a_copy_is_square_and_says_what_it_saved(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prepare", str(pictures), "small", "--size", "16", "--format", "png"]) == DONE
    said = capsys.readouterr().out
    assert "25 pictures in small" in said
    assert "% saved" in said
    assert "left out: 2 (" in said
    lost = pd.read_csv("small-quarantine.csv")
    assert set(lost["path"]) == {"bees/broken.jpg", "ants/copy of 3.png"}
    with Image.open("small/bees/20.png") as image:
        assert image.size == (16, 16)
    assert run(["audit", "small", "conflicts=keep"]) == DONE
    assert "left out: 0" in capsys.readouterr().out


def test_a_copy_never_lands_on_other_files(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(pictures.rglob("*"))
    assert run(["prepare", str(pictures), str(pictures)]) == USAGE
    assert run(["prepare", str(pictures), str(pictures / "ants" / "small")]) == USAGE
    said = capsys.readouterr().err.splitlines()
    assert "is in use" in said[0]
    assert "lies within" in said[1]
    assert sorted(pictures.rglob("*")) == before


def test_the_cache_is_shown_and_cleared(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["audit", str(pictures)])
    capsys.readouterr()
    assert run(["cache", "show"]) == DONE
    assert "what one look at each file told" in capsys.readouterr().out
    assert run(["cache", "clear", "pixels"]) == DONE
    assert remembered(Path("results")) == 27
    assert run(["cache", "clear"]) == DONE
    assert "removed 0." in capsys.readouterr().out
    assert not any(Path("results/.cache").iterdir())
    run(["audit", str(pictures)])
    assert "27 files: 0 known from an earlier look" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["show", "pixel"], ["clear", "pixel"]])
def test_an_unknown_kind_of_cache_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", *words]) == USAGE
    assert "did you mean 'pixels'?" in capsys.readouterr().err


def remembered(results: Path) -> int:
    """How many files an audit in progress has written down."""
    for memory in results.glob(".cache/facts/*.sqlite"):
        try:
            connection = sqlite3.connect(f"file:{memory}?mode=ro", uri=True)
            try:
                return int(connection.execute("SELECT count(*) FROM facts").fetchone()[0])
            finally:
                connection.close()
        except sqlite3.OperationalError:
            return 0
    return 0


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough pictures that an audit of them can be stopped half-way."""
    for seed in range(1400):
        draw(tmp_path / "many" / ("a" if seed % 2 else "b") / f"{seed}.png", seed)
    return tmp_path / "many"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_audit_that_was_stopped_goes_on_where_it_was(
    number: signal.Signals, code: int, many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", str(many), "--workers", "1", "--results", str(tmp_path / "results")]
    child = subprocess.Popen([sys.executable, "-c", "from benchmark.cli import main; main()", *words])
    while child.poll() is None and remembered(tmp_path / "results") == 0:
        time.sleep(0.002)
    os.kill(child.pid, number)
    assert child.wait() == code
    known = remembered(tmp_path / "results")
    assert 0 < known < 1400
    assert not (tmp_path / "results" / "audits").exists()
    assert run([*words]) == DONE
    assert f"1400 files: {known} known from an earlier look, {1400 - known} opened" in capsys.readouterr().out
    assert run([*words[:-1], str(tmp_path / "untouched")]) == DONE
    continued, whole = (tmp_path / name / "audits" / "many" for name in ("results", "untouched"))
    assert {path.name for path in continued.iterdir()} == FILES
    assert all((continued / name).read_bytes() == (whole / name).read_bytes() for name in FILES)
