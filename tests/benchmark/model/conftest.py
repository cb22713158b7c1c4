"""Small specs read from conf/ and drawn pictures to run them on."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import yaml

from backbones.registry import BackboneSpec
from benchmark.model import experiment
from benchmark.model.settings import Settings, configure
from benchmark.spec import AugmentationSpec, FinetuneSpec, HeadSpec, RunSpec, TrainingSpec, WeightingSpec
from datasets.spec import DatasetSpec

CONF = Path(__file__).parents[3] / "conf"
SETTINGS = Settings(threads=2, deterministic=True, mixed_precision="none")
DATASET = yaml.safe_load("""
{name: drawn, source: drawn, resize: squish, split: holdout, fractions: {train: 0.6, val: 0.2, test: 0.2},
folds: 5, fold: null, split_seed: 0, copies: group, near_distance: null, conflicts: exclude, group_pattern: null,
path_column: path, label_column: label, split_column: null, group_column: null, classes: null, parts: null,
small_classes: refuse, min_per_class: 1, max_per_class: null, fix_leaks: false, digits: null, shapes: null}
""")
CLASSES = ("red", "green", "blue")
Row = dict[str, float | int]


def pytest_configure() -> None:
    # Before any test computes: TensorFlow takes its settings only then.
    configure(SETTINGS)


def part(group: str, name: str, **changes: Any) -> dict[str, Any]:
    """The content of one file of conf/ with some values changed."""
    content = yaml.safe_load((CONF / group / f"{name}.yaml").read_text())
    unknown = set(changes) - set(content)
    assert not unknown, f"conf/{group}/{name}.yaml has no {unknown}"
    return {**content, **changes}


def make_spec(backbone: str = "lenet", image_size: int = 16, seed: int = 0, **choices: Any) -> RunSpec:
    """A spec: a name of a file, or the changed content of one, for each group; anything else goes to training."""
    scratch = backbone in ("lenet", "minivgg", "shallownet")

    def chosen(group: str, default: str) -> dict[str, Any]:
        choice = choices.pop(group, default)
        return part(group, choice) if isinstance(choice, str) else dict(choice)

    return RunSpec(
        task="multiclass",
        dataset=DatasetSpec(**DATASET, image_size=image_size),
        backbone=BackboneSpec(
            name=backbone,
            weights="none",
            pooling=choices.pop("pooling", "flatten" if scratch else "avg"),
            application=None,
        ),
        head=HeadSpec(**chosen("head", "linear")),
        finetune=FinetuneSpec(**chosen("finetune", "full")),
        weighting=WeightingSpec(**chosen("weighting", "none")),
        augmentation=AugmentationSpec(**chosen("augmentation", "none")),
        training=TrainingSpec(
            schedule=chosen("schedule", "constant"), **part("training", "default", **{"epochs": 2, **choices})
        ),
        seed=seed,
    )


def draw(image_size: int = 16, confusion: float = 0.0) -> experiment.Data:
    """200 noisy pictures with a bar in the colour of their class, at the place of it; 60, 30 and 10 % of them.

    `confusion` is the share of labels that are drawn anew.
    """
    random = np.random.default_rng(1)
    labels = random.permutation(np.repeat([0, 1, 2], [120, 60, 20]))
    pixels = random.integers(0, 120, (200, image_size, image_size, 3), dtype=np.uint8)
    width = image_size // 3
    for picture, label in zip(pixels, labels, strict=True):
        picture[:, label * width : (label + 1) * width, label] += 70
    labels = np.where(random.random(200) < confusion, random.integers(0, 3, 200), labels).astype(np.int64)
    rows = np.arange(200)
    content = f"drawn-{image_size}-{confusion}"
    return experiment.Data(pixels, labels, rows[:130], rows[130:165], rows[165:], CLASSES, content)


def carry_out(
    spec: RunSpec, data: experiment.Data, cache: Path, on_epoch: Callable[[Row], None] = lambda row: None
) -> experiment.Result:
    """The result of a spec on this data."""
    return experiment.run(spec, data, experiment.Machine(None, cache, SETTINGS.threads), on_epoch)


@pytest.fixture(scope="session")
def spec_of() -> Callable[..., RunSpec]:
    return make_spec


@pytest.fixture(scope="session")
def conf_part() -> Callable[..., dict[str, Any]]:
    return part


@pytest.fixture(scope="session")
def drawn() -> Callable[..., experiment.Data]:
    return draw


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., experiment.Result]:
    """A function that runs a spec; features are shared between the tests."""
    cache = tmp_path_factory.mktemp("cache")

    def run_it(spec: RunSpec, data: experiment.Data, on_epoch: Callable[[Row], None] = lambda row: None) -> Any:
        return carry_out(spec, data, cache, on_epoch)

    return run_it
