"""Runs that share something come together, and what is counted is what is computed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from benchmark import config
from benchmark.bundles import Bundle, Todo, bundles, passes, work

CONF = Path(__file__).resolve().parents[2] / "conf"
PICTURES = {"train": 100, "val": 20, "test": 30}
FROZEN = ("backbone=xception", "finetune=frozen", "dataset.image_size=96", "training.epochs=10")
"""A pretrained backbone, the same for all seeds."""


@pytest.fixture(autouse=True)
def hydra() -> Iterator[None]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def todo(*words: str, gflops: float | None = 1.0) -> Todo:
    """The run that these words compose to."""
    [job] = config.to_jobs(config.without_machinery(compose("config", list(words))), words)
    return Todo(job.spec.run_id("pictures"), job.spec, PICTURES, gflops)


def sizes(made: list[Bundle]) -> list[int]:
    return [len(bundle.runs) for bundle in made]


@pytest.mark.parametrize(
    "word",
    ["seed=1", "weighting=balanced", "head.dropout=0.5", "training.learning_rate=0.01", "training.label_smoothing=0.1"],
)
def test_heads_that_may_differ_come_as_one_stack(word: str) -> None:
    assert sizes(bundles([todo(*FROZEN), todo(*FROZEN, word)], stack=True)) == [2]


def test_hidden_layers_of_different_width_come_as_one_stack() -> None:
    runs = [todo(*FROZEN, "head=dense"), todo(*FROZEN, "head=dense", "head.units=[32]")]
    assert sizes(bundles(runs, stack=True)) == [2]


@pytest.mark.parametrize(
    "word",
    [
        "training.batch_size=32",
        "training.epochs=3",
        "training.optimizer=sgd",
        "head=dense",
        "dataset.image_size=128",
        "weighting=oversample",
        "finetune=full",
        "augmentation=flip",
    ],
)
def test_what_needs_another_program_is_no_member_of_the_stack(word: str) -> None:
    assert sizes(bundles([todo(*FROZEN), todo(*FROZEN, word)], stack=True)) == [1, 1]


def test_random_frozen_weights_are_those_of_a_seed_and_not_shared() -> None:
    runs = [todo(*FROZEN, "backbone.weights=none", f"seed={seed}") for seed in (0, 1)]
    assert sizes(bundles(runs, stack=True)) == [1, 1]
    assert sizes(bundles([runs[0], todo(*FROZEN, "backbone.weights=none", "head.dropout=0.4")], stack=True)) == [2]


def test_fresh_views_every_epoch_leave_nothing_to_share() -> None:
    words = (*FROZEN, "augmentation=flip", "training.augmented_views=0")
    assert sizes(bundles([todo(*words), todo(*words, "seed=1")], stack=True)) == [1, 1]
    assert sizes(bundles([todo(*FROZEN, "augmentation=flip"), todo(*FROZEN, "augmentation=flip", "seed=1")], True)) == [
        2
    ]


def test_whitening_is_fitted_by_a_seed_and_not_shared_with_another() -> None:
    words = (*FROZEN, "augmentation=zca")
    assert sizes(bundles([todo(*words), todo(*words, "seed=1")], stack=True)) == [1, 1]
    assert sizes(bundles([todo(*words), todo(*words, "head.dropout=0.4")], stack=True)) == [2]
    assert passes([todo(*words)]).needed == sum(PICTURES.values())


def test_stacking_can_be_turned_off() -> None:
    assert sizes(bundles([todo(*FROZEN), todo(*FROZEN, "seed=1")], stack=False)) == [1, 1]


def test_a_stack_is_never_too_large_and_its_parts_are_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.bundles.LARGEST_STACK", 4)
    runs = [todo(*FROZEN, f"seed={seed}") for seed in range(6)]
    assert sorted(sizes(bundles(runs, stack=True))) == [3, 3]


def test_cheap_work_comes_first_and_equal_networks_follow_each_other() -> None:
    words = [("backbone=minivgg", "seed=0"), ("backbone=lenet", "seed=0"), ("backbone=minivgg", "seed=1")]
    runs = [todo(*some, gflops=0.05 if "minivgg" in some[0] else 0.02) for some in words]
    made = bundles(runs, stack=True)
    assert [bundle.runs[0].spec.backbone.name for bundle in made] == ["lenet", "minivgg", "minivgg"]
    assert made[1].network == made[2].network != made[0].network


def test_every_run_is_in_exactly_one_bundle() -> None:
    runs = [todo(*FROZEN, f"seed={seed}", f"finetune={mode}") for seed in range(3) for mode in ("frozen", "full")]
    assert sorted(run.run_id for one in bundles(runs, stack=True) for run in one.runs) == sorted(
        run.run_id for run in runs
    )


def test_shared_activations_are_computed_once_however_many_heads_there_are() -> None:
    runs = [todo(*FROZEN, f"seed={seed}") for seed in range(12)]
    found = passes(runs)
    assert found.needed == sum(PICTURES.values())
    assert found.naive == 12 * (10 * (PICTURES["train"] + PICTURES["val"]) + PICTURES["val"] + PICTURES["test"])


def test_views_pass_once_each() -> None:
    runs = [todo(*FROZEN, "augmentation=flip", f"seed={seed}") for seed in range(2)]
    assert passes(runs).needed == sum(PICTURES.values()) + 8 * PICTURES["train"]


def test_no_more_views_are_computed_than_there_are_epochs_to_see_them() -> None:
    run = todo(*FROZEN, "augmentation=flip", "training.epochs=3")
    assert passes([run]).needed == sum(PICTURES.values()) + 3 * PICTURES["train"]


def test_a_network_that_learns_as_a_whole_saves_nothing() -> None:
    found = passes([todo("backbone=lenet", "training.epochs=4")])
    assert found.needed == found.naive == 4 * (3 * PICTURES["train"] + PICTURES["val"]) + 50


def test_layers_that_learn_above_kept_activations_take_time_in_every_epoch() -> None:
    last = [word for word in FROZEN if not word.startswith("finetune")] + ["finetune=last_n"]
    short, long = (work([todo(*last, f"training.epochs={epochs}")]) for epochs in (10, 20))
    frozen = work([todo(*FROZEN)])
    assert short > 2 * frozen
    assert long - frozen > 1.8 * (short - frozen)
