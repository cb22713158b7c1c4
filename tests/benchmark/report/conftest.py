"""Sweeps' folders made by hand: real specs, records and files, drawn predictions and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from PIL import Image

from benchmark import config, store
from benchmark.metrics import score_all
from benchmark.predictions import Predictions
from benchmark.records import Baseline, Cost, Latency, Parameters, RunRecord
from benchmark.spec import RunSpec
from datasets.manifest import COLUMNS, REJECTED_COLUMNS, Manifest

CONF = Path(__file__).resolve().parents[3] / "conf"


HOSTILE_FILES = (
    "<img src=x onerror=\"console.error('file')\">.png", "'quoted' & \"twice\".png", "right\u202eto left חתול.png",
    "🐈 cat.png", "n" * 250 + ".png", "two\nlines.png", "=HYPERLINK(1).png", "100%20#what?.png",
)  # fmt: skip
"""Names that a file may have."""


class Page(HTMLParser):
    """What a page holds; reading it fails where an element is not closed in order."""

    VOID = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script", "title", "desc"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """What is read."""
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]


class DrawnSweep:
    """A sweep's folder that runs are added to; its pictures are one drawn file under many names."""

    def __init__(self, root: Path, spec: RunSpec, classes: Sequence[str], pictures: int, names: Sequence[str]) -> None:
        self.directory = root / "drawn"
        self.classes = tuple(classes)
        self._spec = spec
        self.manifest = _manifest(root / "pictures", self.classes, pictures, names)
        store.make_sweep_directory(self.directory)
        self.manifest.to_csv(self.directory / "manifest.csv")

    def add(self, skill: float = 0.8, seeds: Sequence[int] = (0, 1), **parts: Any) -> str:
        """Finished runs of a candidate that is right about as often as `skill` says; its id."""
        for seed in seeds:
            record = self._record(seed, parts)
            scores = {}
            for split in ("val", "test"):
                predictions = self.answers(split, skill, seed)
                store.write_predictions(self.directory, record.run_id, split, predictions)
                scores[split] = score_all(predictions)
            store.write_history(self.directory, record.run_id, _history(scores["val"]))
            done = {"status": "ok", "test": scores["test"], "val": scores["val"], "parameters": PARAMETERS}
            store.write_record(self.directory, record.model_copy(update=done | {"cost": COST}))
        return record.candidate

    def fail(self, message: str, seeds: Sequence[int] = (0,), **parts: Any) -> None:
        """Runs that crashed with this message."""
        for seed in seeds:
            record = self._record(seed, parts)
            failure = {"status": "crashed", "failure": {"kind": "SIGKILL", "message": message}}
            store.write_record(self.directory, RunRecord.model_validate(record.model_dump(mode="json") | failure))

    def add_baseline(self) -> None:
        """A reference row that trains nothing."""
        record = self._record(0, {})
        spec = Baseline(baseline="majority", dataset="drawn", image_size=0, fold=None)
        predictions = self.answers("test", 0.0, 0)
        store.write_predictions(self.directory, "baseline-majority-0", "test", predictions)
        names = {"run_id": "baseline-majority-0", "candidate": "baseline-majority-0", "spec": spec, "status": "ok"}
        store.write_record(self.directory, record.model_copy(update=names | {"test": score_all(predictions)}))

    def answers(self, split: str, skill: float, seed: int) -> Predictions:
        """Predictions of one split; a wrong one names the next class."""
        table = self.manifest.table[self.manifest.table["split"] == split]
        truth = self.manifest.labels[self.manifest.table["split"].to_numpy() == split]
        luck = np.random.Generator(np.random.PCG64([seed, round(skill * 1e6)])).random(len(truth))
        guess = np.where(luck < skill, truth, (truth + 1) % len(self.classes))
        probabilities = np.full((len(truth), len(self.classes)), 0.2 / max(len(self.classes) - 1, 1), np.float32)
        probabilities[np.arange(len(truth)), guess] = 0.8
        images, groups = table["pixels_sha256"].to_numpy(str), table["group"].to_numpy(str)
        return Predictions(images, groups, truth, probabilities, self.classes)

    def records(self) -> list[RunRecord]:
        """All records."""
        return store.load_records(self.directory)

    def _record(self, seed: int, parts: dict[str, Any]) -> RunRecord:
        content = self._spec.model_dump(mode="json") | {"seed": seed}
        for part, change in parts.items():
            content[part] |= change if isinstance(change, dict) else {"name": change}
        spec = RunSpec.model_validate(content)
        fingerprint = self.manifest.fingerprint
        return RunRecord(
            run_id=spec.run_id(fingerprint),
            candidate=spec.candidate(fingerprint),
            sweep="drawn",
            spec=spec,
            fingerprint=fingerprint,
            classes=self.classes,
            status="pending",
            primary="balanced_accuracy",
            environment={"python": "3.11.7", "cores": 2, "versions": {"keras": "3.15.1"}},
            command=f"python -m benchmark backbone={spec.backbone.name} seed={seed}",
        )


PARAMETERS = Parameters(total=1000, trainable=900, features=64, flops=5_000_000)
COST = Cost(
    epochs=3, best_epoch=2, seconds_pixels=0.5, seconds_features=0.0, seconds_train=10.0, seconds_predict=0.25,
    seconds_input=0.5, seconds_total=11.0, path="whole", stacked=1, batch_size_effective=64, peak_memory_mb=700.0,
    latency=Latency(batch_1_p50=2.0, batch_1_p95=3.0, batch_32_p50=20.0, batch_32_p95=30.0),
)  # fmt: skip


def _history(scores: dict[str, float]) -> pd.DataFrame:
    """Three epochs that end at these scores."""
    epochs = np.arange(1, 4)
    losses = {"train_loss": 1 / epochs, "train_loss_weighted": 2 / epochs, "val_loss": 1.5 / epochs}
    metrics = {f"val_{name}": value * epochs / 3 for name, value in scores.items()}
    return pd.DataFrame({"epoch": epochs, "stage": 1, **losses, "train_accuracy": epochs / 4, **metrics})


def _manifest(root: Path, classes: tuple[str, ...], count: int, names: Sequence[str]) -> Manifest:
    """As many pictures of each class in each split as there is room for, one drawn file behind all of them."""
    root.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for name in names:
        Image.fromarray(noise).save(root / name, "PNG")
    place = np.arange(count)
    hashes = [f"{number:064x}" for number in place]
    splits = np.array(["train", "val", "test"])[place // len(classes) % 3]
    table = pd.DataFrame(
        {
            "path": np.array(names)[place % len(names)], "label": np.array(classes)[place % len(classes)],
            "width": 60, "height": 40, "format": "PNG", "bytes": 1000, "sha256": hashes, "pixels_sha256": hashes,
            "phash": "0" * 16, "group": [f"{number:016x}" for number in place], "split": splits,
        }
    )  # fmt: skip
    lost = pd.DataFrame([("gone.png", "truncated: image file", classes[0])], columns=list(REJECTED_COLUMNS))
    return Manifest(table[list(COLUMNS)], lost, classes, root, ("two files were passed over",))


@pytest.fixture(scope="session")
def spec() -> RunSpec:
    """The specification that conf/ composes to without a word."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        [job] = config.to_jobs(config.without_machinery(compose("config", [])), [])
    return job.spec


@pytest.fixture
def sweep_of(tmp_path: Path, spec: RunSpec) -> Callable[..., DrawnSweep]:
    """From classes, a number of pictures and names of files to a sweep without runs."""
    return lambda classes=("ant", "bee", "cat"), pictures=270, names=("noise.png",): DrawnSweep(
        tmp_path, spec, classes, pictures, names
    )


@pytest.fixture
def sweep(sweep_of: Callable[..., DrawnSweep]) -> DrawnSweep:
    """Two candidates of two seeds, a crashed one and a baseline, on 90 test pictures of three classes."""
    drawn = sweep_of()
    drawn.add(0.9)
    drawn.add(0.6, weighting={"name": "balanced", "rule": "balanced"})
    drawn.fail("found the worker gone", backbone={"name": "lenet"})
    drawn.add_baseline()
    return drawn


@pytest.fixture
def hostile_files() -> tuple[str, ...]:
    """Names of files that a page must show as what they are."""
    return HOSTILE_FILES


@pytest.fixture
def read() -> Callable[[str], Page]:
    """From a page's text to what it holds."""
    return Page
