"""Every file of the groups that this wing obeys: composed by Hydra, validated, carried out on drawn pictures."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmark import schedules, weighting
from benchmark.model import heads
from benchmark.model.experiment import Data, Result
from benchmark.spec import AugmentationSpec, FinetuneSpec, HeadSpec, Part, RunSpec, TrainingSpec, WeightingSpec

CONF = Path(__file__).parents[3] / "conf"
PRIMARY = """
defaults:
  - training: default
  - schedule: constant
  - head: linear
  - finetune: full
  - weighting: none
  - augmentation: none
"""
SPECS: dict[str, type[Part]] = {
    "head": HeadSpec,
    "finetune": FinetuneSpec,
    "weighting": WeightingSpec,
    "augmentation": AugmentationSpec,
    "training": TrainingSpec,
}


def choices(*groups: str) -> list[tuple[str, str]]:
    return [(group, path.stem) for group in groups for path in sorted((CONF / group).glob("*.yaml"))]


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., dict[str, Any]]]:
    """A function from overrides to the composed content of a primary configuration with our groups only."""
    folder = tmp_path_factory.mktemp("primary")
    (folder / "primary.yaml").write_text(PRIMARY)
    with initialize_config_dir(str(folder), version_base="1.3"):

        def compose_it(*overrides: str) -> dict[str, Any]:
            found = compose("primary", [f"hydra.searchpath=[file://{CONF}]", *overrides])
            return OmegaConf.to_container(found, resolve=True)  # type: ignore[return-value]

        yield compose_it


@pytest.mark.parametrize(("group", "name"), choices(*SPECS))
def test_every_file_makes_a_valid_part_of_a_spec(
    group: str, name: str, composed: Callable[..., dict[str, Any]]
) -> None:
    part = SPECS[group].model_validate(composed(f"{group}={name}")[group])
    assert getattr(part, "name", name) == name


@pytest.mark.parametrize(("group", "name"), choices("schedule"))
def test_every_schedule_lands_in_training(group: str, name: str, composed: Callable[..., dict[str, Any]]) -> None:
    training = TrainingSpec.model_validate(composed(f"{group}={name}", "training=default")["training"])
    assert training.schedule.rule == name
    schedules.find(training.schedule.rule)


def test_every_rule_and_every_schedule_has_a_file() -> None:
    assert {name for _, name in choices("schedule")} == set(schedules.names())
    assert {name for _, name in choices("weighting")} == {*weighting.names(), "focal"}


def test_every_line_of_a_file_says_what_it_means() -> None:
    for path in CONF.glob("*/*.yaml"):
        if path.parent.name not in (*SPECS, "schedule"):
            continue
        lines = path.read_text().splitlines()
        assert lines[0].startswith("#"), path
        silent = [line for line in lines[1:] if ":" in line and "#" not in line and "name:" not in line]
        repeated = ("fill_mode", "interpolation", "value_range", "width_factor", "high", "units: [")
        unsaid = [line for line in silent if not line.rstrip().endswith(":") and not line.strip().startswith(repeated)]
        assert not unsaid, (path, unsaid)


@pytest.mark.parametrize(("group", "name"), choices("head", "finetune", "weighting", "augmentation", "schedule"))
def test_every_choice_trains(
    group: str,
    name: str,
    composed: Callable[..., dict[str, Any]],
    spec_of: Callable[..., RunSpec],
    drawn: Callable[..., Data],
    run: Callable[..., Result],
) -> None:
    content = composed(f"{group}={name}")
    chosen = content["training"]["schedule"] if group == "schedule" else content[group]
    spec = spec_of("shallownet", epochs=4 if name == "staged" else 2, **{group: _fitting(chosen)})
    result = run(spec, drawn())
    assert np.isfinite(result.history["train_loss"]).all()
    assert result.test.shape == (35, 3)


def test_the_wide_head_normalises_its_input(composed: Callable[..., dict[str, Any]]) -> None:
    spec = HeadSpec.model_validate(composed("head=wide")["head"])
    assert type(heads.layers(spec, 2, 0)[0]).__name__ == "BatchNormalization"


def _fitting(chosen: dict[str, Any]) -> dict[str, Any]:
    """The choice with no more learning layers than the smallest backbone has."""
    return {**chosen, "last_n": 1} if chosen.get("mode") == "last_n" else chosen
