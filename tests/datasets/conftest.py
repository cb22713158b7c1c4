"""Pictures drawn for a test, and the options of conf/dataset/ with a few changed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from datasets.manifest import Manifest
from datasets.prepare import prepare
from datasets.processes import is_worth_a_pool
from datasets.spec import Dataset, dataset_from_mapping

CONF = Path(__file__).resolve().parents[2] / "conf" / "dataset"

MakeDataset = Callable[..., Dataset]
Prepare = Callable[..., Manifest]
Draw = Callable[..., Image.Image]


@pytest.fixture
def dataset() -> MakeDataset:
    """The data set of one of the files of conf/dataset/ with some options changed: dataset("folder", root=...)."""

    def make(name: str, /, **changes: Any) -> Dataset:
        options: dict[str, Any] = {}
        for file in ("schema", name):
            options |= yaml.safe_load((CONF / f"{file}.yaml").read_text("utf-8"))
        options.pop("defaults", None)
        if options["image_size"] is None:
            options["image_size"] = 16
        return dataset_from_mapping(options | changes)

    return make


@pytest.fixture
def prepared(dataset: MakeDataset, tmp_path: Path) -> Prepare:
    """The manifest of a data set made as by `dataset`, with one process and a cache of the test's own."""

    def make(name: str = "folder", /, **changes: Any) -> Manifest:
        chosen = dataset(name, **changes)
        return prepare(chosen.spec, chosen.location, tmp_path / "cache", 1, None)

    return make


@pytest.fixture
def draw() -> Draw:
    """A picture with soft random blobs, the same for the same seed, like no other seed's: draw(7, size=(40, 30))."""

    def make(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
        coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)

    return make


@pytest.fixture
def class_folders(tmp_path: Path, draw: Draw) -> Callable[..., Path]:
    """A folder with class folders of different PNG pictures: class_folders(cat=10, dog=7)."""

    def make(root: Path | None = None, first_seed: int = 0, **counts: int) -> Path:
        root = root or tmp_path / "pictures"
        seed = first_seed
        for label, count in counts.items():
            (root / label).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                draw(seed).save(root / label / f"{number:03d}.png")
                seed += 1
        return root

    return make


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Two classes of 300 pictures each, hard links to ten large ones: enough work for a pool of processes."""
    root = tmp_path / "many"
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(600):
        path = root / ("cat", "dog")[number % 2] / f"{number:03d}.png"
        if number < 10:
            noise = random.integers(0, 256, (300, 300, 3), dtype=np.uint8)
            Image.fromarray(noise).save(path, compress_level=1)
        else:
            os.link(root / ("cat", "dog")[number % 2] / f"{number % 10:03d}.png", path)
    assert is_worth_a_pool(600, sum(path.stat().st_size for path in root.glob("*/*")))
    return root
