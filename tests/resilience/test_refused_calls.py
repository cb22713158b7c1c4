"""Whatever call of the system is refused, what was whole stays whole, and the same again is well: results and caches.

`BENCH_TESTS=all` refuses every call with every error; without it a fixed fourth of these pairs is tried.
"""

from __future__ import annotations

import errno
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark import publish, store
from benchmark.metrics import score_all
from benchmark.model.activations import Batch, Computation, Shelf
from benchmark.predictions import Predictions
from benchmark.records import Baseline, RunRecord
from benchmark.report import sweep as report
from benchmark.tracking.ledger import remember_sweep
from datasets.hashing import pixels_sha256
from datasets.manifest import COLUMNS, REJECTED_COLUMNS, Manifest
from datasets.pixels import pixels

FAULTS = (errno.ENOSPC, errno.EIO, errno.EACCES)
STRIDE = 1 if os.environ.get("BENCH_TESTS") == "all" else 4
"""Every so many of the pairs (call, error); no multiple of the number of errors, so that all of them are tried."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CLASSES = ("a", "b")


class Refusals:
    """The calls that would change something below a folder: opening to write, mkdir, rename, chmod."""

    def __init__(self) -> None:
        self._folder = ""
        self._fault = 0
        self._at = -1
        self.calls = 0

    @contextmanager
    def below(self, folder: Path, at: int = -1, fault: int = 0) -> Iterator[None]:
        """Count the calls; refuse the one with this number, counted from 0, with this error."""
        self._folder, self._at, self._fault, self.calls = str(folder), at, fault, 0
        try:
            yield
        finally:
            self._folder = ""

    def audit(self, event: str, values: tuple[Any, ...]) -> None:
        """What Python calls before it asks the system."""
        if not self._folder or event not in ("open", "os.mkdir", "os.rename", "os.chmod"):
            return
        place = values[1] if event == "os.rename" else values[0]
        if event == "open" and not values[2] & WRITES:
            return
        if isinstance(place, int) or not os.fsdecode(place).startswith(self._folder):
            return
        self.calls += 1
        if self.calls == self._at + 1:
            raise OSError(self._fault, os.strerror(self._fault), os.fsdecode(place))


@pytest.fixture(scope="module")
def refusals() -> Refusals:
    """A hook stays until the process ends; it looks at nothing outside of `below`."""
    refusals = Refusals()
    sys.addaudithook(refusals.audit)
    return refusals


def refuse_each(refusals: Refusals, scratch: Path, work: Callable[[Path], object]) -> Iterator[Path]:
    """The folders in which the work was refused a call each, after what was said of it was seen to be that error."""
    calm = scratch / "calm" / "drawn"
    with refusals.below(calm):
        work(calm)
    calls = refusals.calls
    assert calls > 3
    for at, fault in list(itertools.product(range(calls), FAULTS))[::STRIDE]:
        folder = scratch / f"{at}-{fault}" / "drawn"
        with refusals.below(folder, at, fault):
            error = error_of(work, folder)
        assert error is None or (error.errno == fault and str(folder) in str(error)), (at, error)
        yield folder


def error_of(work: Callable[[Path], object], folder: Path) -> OSError | None:
    """What came of the system's refusal; None where the work could do without the call."""
    try:
        work(folder)
    except OSError as error:
        return error
    return None


def test_results_of_which_a_call_was_refused_are_whole_or_absent(tmp_path: Path, refusals: Refusals) -> None:
    for folder in refuse_each(refusals, tmp_path, write_sweep):
        if folder.is_dir():
            survey = store.survey(folder)
            assert survey.broken == [], folder
            for record in (one for one in survey.records if one.finished):
                assert store.load_predictions(folder, record.run_id).probabilities.shape == (40, 2)
            for path in folder.glob("manifest.csv"):
                assert Manifest.read_csv(path).classes == CLASSES
            assert not list(folder.rglob("*.tmp*")), folder
        write_sweep(folder)
        assert content_of(folder) == content_of(tmp_path / "calm" / "drawn"), folder


def test_pixels_of_which_a_call_was_refused_are_those_of_a_calm_disk(tmp_path: Path, refusals: Refusals) -> None:
    manifest = picture_manifest(tmp_path / "pictures")

    def decode(cache: Path) -> np.ndarray:
        return np.array(pixels(manifest, 16, "squish", cache, 1, None).array)

    expected = decode(tmp_path / "expected")
    for cache in refuse_each(refusals, tmp_path, decode):
        np.testing.assert_array_equal(decode(cache), expected)


def test_activations_of_which_a_call_was_refused_are_those_of_a_calm_disk(tmp_path: Path, refusals: Refusals) -> None:
    values = np.arange(70, dtype=np.float32).reshape(10, 7)

    def compute(cache: Path) -> np.ndarray:
        batches = (Batch(rows, values[rows], None) for rows in np.split(np.arange(10), 2))
        computation = Computation(10, ((7,),), 0, {}, batches)
        return np.array(Shelf(cache, None).load_or_compute({}, lambda: computation).values)

    for cache in refuse_each(refusals, tmp_path, compute):
        np.testing.assert_array_equal(compute(cache), values)
        assert not [path for path in cache.iterdir() if path.name.startswith(".")]


def write_sweep(directory: Path) -> None:
    """What a sweep with one run leaves in its folder."""
    truth = np.arange(40) % 2
    guess = np.where(np.arange(40) % 4 > 0, truth, 1 - truth)
    images = np.array([f"{index:064x}" for index in range(40)])
    rows = [dict.fromkeys(COLUMNS, 1) | {"path": f"{image}.png", "pixels_sha256": image} for image in images]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).assign(label=np.array(CLASSES)[truth], split="test")
    manifest_of(table, Path("/pictures")).to_csv(directory / "manifest.csv")
    remember_sweep(directory, "a" * 32)
    probabilities = np.where(np.eye(2)[guess] > 0, 0.9, 0.1).astype(np.float32)
    predictions = Predictions(images, images, truth, probabilities, CLASSES)
    spec = Baseline(baseline="majority", dataset="drawn", image_size=0, fold=None)
    running = RunRecord(
        run_id="one", candidate="one", sweep="drawn", spec=spec, fingerprint="f" * 64, classes=CLASSES,
        status="running", primary="accuracy", command="python -m benchmark",
    )  # fmt: skip
    store.make_sweep_directory(directory)
    store.write_record(directory, running)
    for split in store.SPLIT_FILES:
        store.write_predictions(directory, "one", split, predictions)
    store.write_history(directory, "one", pd.DataFrame({"epoch": [1], "val_loss": [0.5]}))
    scores = score_all(predictions)
    store.write_record(directory, running.model_copy(update={"status": "ok", "test": scores, "val": scores}))
    report.write(directory, "board", board=publish.board(directory).board)


def content_of(directory: Path) -> dict[str, bytes]:
    """The bytes of every file of the folder."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def picture_manifest(root: Path) -> Manifest:
    """Six pictures of noise, as they lie there."""
    root.mkdir()
    rows = []
    for number in range(6):
        noise = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"{number}.png")
        known = {"path": f"{number}.png", "label": CLASSES[number % 2]}
        rows.append(dict.fromkeys(COLUMNS, "") | known | {"pixels_sha256": pixels_sha256(Image.fromarray(noise))})
    return manifest_of(pd.DataFrame(rows, columns=list(COLUMNS)), root)


def manifest_of(table: pd.DataFrame, root: Path) -> Manifest:
    """The manifest of these rows."""
    return Manifest(table.astype({"group": str}), pd.DataFrame(columns=list(REJECTED_COLUMNS)), CLASSES, root, ())
