"""Whatever is typed and whatever has become of a file: one sentence and a documented exit code, never a traceback.

`BENCH_FUZZ=300` makes the long form; without it each test tries a few dozen.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmark import asking, publish, store, tracking
from benchmark.cli import run
from benchmark.errors import explain
from benchmark.metrics import score_all
from benchmark.predictions import Predictions
from benchmark.records import Baseline, RunRecord
from datasets.manifest import COLUMNS, REJECTED_COLUMNS, Manifest

EXAMPLES = int(os.environ.get("BENCH_FUZZ", "40"))
CONF = Path(__file__).resolve().parents[2] / "conf"
CODES = {0, 1, 2, 3, 4, 5, 130}
SLOW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)


def keys() -> list[str]:
    """Every dotted key of conf/, and every group."""
    found: list[str] = [folder.name for folder in CONF.iterdir() if folder.is_dir()]
    for file in sorted(CONF.rglob("*.yaml")):
        group = ".".join(file.relative_to(CONF).parent.parts)
        content = yaml.safe_load(file.read_text("utf-8")) or {}
        found += [f"{group}.{key}" if group else str(key) for key in content if key != "defaults"]
        found += [f"{key}.{inner}" for key, value in content.items() if isinstance(value, dict) for inner in value]
    return sorted(set(found) - {"hydra"})


VALUES = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["null", "true", "[]", "{}", "[1,2]", "{a:1}", "", "${seed}", "${nothing}", "${oc.env:NOTHING}", "???", "a,b",
         "range(3)", "glob(*)", "'", '"', "${", "[", "1e999", "-0", "../..", "/etc/passwd", "\\", "=", "none", "lenet"]
    ),
    st.text(max_size=12),
)  # fmt: skip
WORDS = st.one_of(
    st.tuples(st.sampled_from(["", "+", "++", "~"]), st.sampled_from(keys()), st.just("="), VALUES).map("".join),
    st.tuples(st.sampled_from(keys()), VALUES).map("=".join),
    st.text(max_size=20),
)  # fmt: skip


@SLOW
@given(words=st.lists(WORDS, min_size=1, max_size=3))
def test_a_fuzzed_configuration_gives_jobs_or_a_sentence(words: list[str]) -> None:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            jobs = asking.jobs(words)
    except Exception as error:
        with contextlib.redirect_stderr(said):
            code = explain(error)
        refused = True
    else:
        code, refused = 0, False
        assert all(job.spec.run_id("f" * 64) for job in jobs)
    sentence = said.getvalue()
    assert code in (0, 1, 2)
    assert sentence.startswith("error: ") == refused
    assert "a mistake of the program" not in sentence, (words, sentence)
    assert "Traceback" not in sentence


def make(directory: Path) -> None:
    """A sweep's folder with two finished runs and a crashed one, which MLflow knows."""
    truth = np.arange(40) % 2
    images = np.array([f"{index:064x}" for index in range(40)])
    rows = [dict.fromkeys(COLUMNS, 1) | {"path": f"{image}.png", "pixels_sha256": image} for image in images]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).assign(label=np.array(["a", "b"])[truth], split="test")
    rejected = pd.DataFrame([("odd.png", "damaged", "a")], columns=list(REJECTED_COLUMNS))
    store.make_sweep_directory(directory)
    Manifest(table.astype({"group": str}), rejected, ("a", "b"), Path("/pictures"), ()).to_csv(
        directory / "manifest.csv"
    )
    for number, run_id in enumerate(("one", "two")):
        guess = np.where((np.arange(40) + number) % 4 > 0, truth, 1 - truth)
        probabilities = np.where(np.eye(2)[guess] > 0, 0.9, 0.1).astype(np.float32)
        predictions = Predictions(images, images, truth, probabilities, ("a", "b"))
        scores = score_all(predictions)
        for split in store.SPLIT_FILES:
            store.write_predictions(directory, run_id, split, predictions)
        store.write_history(directory, run_id, pd.DataFrame({"epoch": [1, 2], "val_loss": [0.5, 0.4]}))
        store.write_record(directory, record(run_id, status="ok", test=scores, val=scores))
    store.write_record(directory, record("bad", status="crashed", failure={"kind": "SIGKILL", "message": "gone"}))
    tracking.push(None, directory, publish.board(directory).board)


def record(run_id: str, **changes: object) -> RunRecord:
    spec = Baseline(baseline="majority", dataset="drawn", image_size=0, fold=None)
    fields = {"run_id": run_id, "candidate": run_id, "sweep": "drawn", "spec": spec, "fingerprint": "f" * 64}
    fields |= {"classes": ("a", "b"), "primary": "accuracy", "command": "python -m benchmark"}
    return RunRecord.model_validate({**fields, **changes})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that is copied for each example."""
    directory = tmp_path_factory.mktemp("fuzz") / "drawn"
    make(directory)
    yield directory
    shutil.rmtree(directory)


MANGLED = (
    "runs/one/record.json", "runs/bad/record.json", "runs/two/predictions.parquet", "runs/two/validation.parquet",
    "runs/two/history.csv", "leaderboard.csv", "runs.csv", "costs.csv", "manifest.csv", "manifest.json",
    "quarantine.csv",
)  # fmt: skip
MANIFEST = ("manifest.csv", "manifest.json", "quarantine.csv")
READING = (
    ["leaderboard"], ["leaderboard", "--costs"], ["failures"], ["effects"], ["power"], ["diff"], ["verify"],
    ["report"], ["mlflow", "push"], ["rebuild"],
)  # fmt: skip
"""Every command that reads a sweep's folder; the last ones write there, too."""


def mangle(content: bytes, data: st.DataObject) -> bytes:
    """The bytes cut off, overwritten, doubled, emptied or replaced."""
    how = data.draw(st.sampled_from(["cut", "flip", "insert", "replace", "double", "swap", "empty"]))
    place = data.draw(st.integers(0, max(0, len(content) - 1)))
    if how == "cut":
        return content[:place]
    if how == "flip":
        return content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]
    if how == "insert":
        return content[:place] + data.draw(st.binary(min_size=1, max_size=20)) + content[place:]
    if how == "replace":
        return data.draw(
            st.one_of(st.binary(max_size=50), st.sampled_from([b"null", b"[]", b"{}", b"[" * 9999, b"PAR1"]))
        )
    if how == "double":
        return content + content
    if how == "swap":
        old, new = data.draw(st.sampled_from([(b"0.75", b"0.95"), (b"ok", b"failed"), (b",", b";"), (b"\n", b"\r\n")]))
        return content.replace(old, new)
    return b""


@pytest.mark.parametrize("words", READING, ids=" ".join)
@settings(SLOW, max_examples=max(6, EXAMPLES // 5))
@given(data=st.data())
def test_a_mangled_file_gives_a_sentence_and_a_documented_code(
    whole: Path, words: list[str], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(MANGLED))
    before = (whole / name).read_bytes()
    after = mangle(before, data)
    code, said, _ = answer(whole, words, name, after)
    assert code in CODES
    assert "a mistake of the program" not in said, (name, said)
    assert "Traceback" not in said
    if words == ["verify"] and name not in MANIFEST and after != before and not _says_the_same(name, before, after):
        assert code == 2, (name, said)


@pytest.mark.parametrize("name", MANIFEST)
@pytest.mark.parametrize(("words", "goes_on"), [(["report"], True), (["rebuild"], True), (["mlflow", "push"], False)])
def test_a_damaged_manifest_is_named_and_boards_and_reports_do_without(
    whole: Path, name: str, words: list[str], goes_on: bool
) -> None:
    code, said, reported = answer(whole, words, name, b"\xff\xfe\x00")
    assert code == 2
    assert "manifest.csv cannot be read" in said
    assert said.startswith("warning" if goes_on else "error"), said
    assert reported == goes_on


class Answer(NamedTuple):
    """What a command made of a folder."""

    code: int
    said: str
    """On stderr."""
    reported: bool
    """Whether there is a report now."""


def answer(whole: Path, words: list[str], name: str, content: bytes) -> Answer:
    """The command's answer to a copy of the sweep in which a file holds this."""
    folder = Path(tempfile.mkdtemp(dir=whole.parent))  # what is read is kept in memory by its path
    directory = folder / "drawn"
    shutil.copytree(whole, directory)
    (directory / name).write_bytes(content)
    if words == ["mlflow", "push"]:
        (directory / ".sweep-id").unlink()  # a sweep that MLflow has never seen, so that all of it is read
    places = [directory / "leaderboard.csv", whole / "leaderboard.csv"] if words == ["diff"] else [directory]
    if words[0] in ("mlflow", "verify"):
        shutil.copy(whole.parent / "mlflow.db", folder)
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        code = run([*words, *map(str, places)])
    drawn = (directory / "report.html").is_file()
    shutil.rmtree(folder)
    return Answer(code, err.getvalue(), drawn)


def _says_the_same(name: str, before: bytes, after: bytes) -> bool:
    """Whether a record was only laid out anew: its checksum is over what it says."""
    if not name.endswith("record.json"):
        return False
    with contextlib.suppress(ValueError):
        return bool(json.loads(before) == json.loads(after))
    return False
