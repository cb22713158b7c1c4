from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.model import learning
from benchmark.model.classifier import Blueprint
from benchmark.model.experiment import Data, Result
from benchmark.model.networks import Network, Warm
from benchmark.spec import RunSpec

SpecOf = Callable[..., RunSpec]
Draw = Callable[..., Data]
Part = Callable[..., dict[str, Any]]
Run = Callable[..., Result]

EVERY_STATE = {
    "augmentation and dropout": ("minivgg", {"augmentation": "light", "head": "wide"}),
    "mixed labels": ("shallownet", {"augmentation": "mixup"}),
    "composed augmentation": ("shallownet", {"augmentation": "randaugment"}),
    "strong augmentation": ("shallownet", {"augmentation": "strong"}),
    "focal loss": ("lenet", {"weighting": "focal"}),
    "weight decay": ("lenet", {"optimizer": "adamw"}),
    "moving squares": ("lenet", {"optimizer": "rmsprop"}),
}


def columns(history: pd.DataFrame) -> pd.DataFrame:
    return history.drop(columns="seconds")


def other(spec: RunSpec) -> RunSpec:
    """Another run that the same network serves: seed, rates, weights and smoothing differ."""
    training = spec.training.model_copy(update={"learning_rate": 0.02, "label_smoothing": 0.2, "epochs": 1})
    weighting = spec.weighting.model_copy(update={"name": "balanced", "rule": "balanced"})
    return spec.model_copy(update={"seed": 9, "training": training, "weighting": weighting})


@pytest.mark.parametrize("state", EVERY_STATE)
def test_a_warm_network_gives_the_bits_of_a_fresh_one(state: str, spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    backbone, choices = EVERY_STATE[state]
    spec = spec_of(backbone, **choices)
    learning.make_room()
    fresh = run(spec, drawn())
    between = run(other(spec), drawn())
    warm = run(spec, drawn())
    learning.make_room()
    between_fresh = run(other(spec), drawn())
    for first, second in ((fresh, warm), (between, between_fresh)):
        np.testing.assert_array_equal(first.test, second.test)
        assert columns(first.history).equals(columns(second.history))
        assert first.parameters == second.parameters
    assert not np.array_equal(fresh.test, between.test)


@pytest.mark.parametrize(
    "finetune",
    [("last_n", {"last_n": 4}), ("staged", {"frozen_epochs": 1}), ("staged", {"frozen_epochs": 1, "last_n": 3})],
)
def test_partly_frozen_networks_stay_warm_too(
    finetune: Any, spec_of: SpecOf, drawn: Draw, run: Run, conf_part: Part
) -> None:
    mode, changes = finetune
    spec = spec_of("minivgg", finetune=conf_part("finetune", mode, **changes), augmentation="flip", augmented_views=2)
    learning.make_room()
    fresh = run(spec, drawn())
    run(other(spec), drawn())
    warm = run(spec, drawn())
    np.testing.assert_array_equal(fresh.test, warm.test)
    assert columns(fresh.history).equals(columns(warm.history))
    assert fresh.parameters == warm.parameters


def test_other_pictures_and_another_split_use_the_same_network(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    spec, data = spec_of("lenet"), drawn()
    smaller = data._replace(train=data.train[:97], val=data.train[97:], pixels=data.pixels[::-1].copy())
    learning.make_room()
    expected = run(spec, smaller)
    learning.make_room()
    run(spec, data)
    np.testing.assert_array_equal(run(spec, smaller).test, expected.test)


def test_a_diverged_run_leaves_no_trace(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    spec = spec_of("lenet", optimizer="sgd")
    expected = run(spec, drawn())
    ruined = spec.model_copy(update={"training": spec.training.model_copy(update={"learning_rate": 1e25})})
    with pytest.raises(RuntimeError, match=r"lower training\.learning_rate"):
        run(ruined, drawn())
    np.testing.assert_array_equal(run(spec, drawn()).test, expected.test)


def test_a_result_keeps_its_model_while_its_network_serves_other_runs(spec_of: SpecOf, drawn: Draw, run: Run) -> None:
    spec, data = spec_of("lenet"), drawn()
    result = run(spec, data)
    run(other(spec), data)
    found = result.model.build()(data.pixels[data.test].astype(np.float32), training=False).numpy()
    np.testing.assert_allclose(found, result.test, atol=1e-5)


def blueprint(spec: RunSpec) -> Blueprint:
    return Blueprint(spec, 3, None, None)


def test_what_is_only_a_number_needs_no_other_network(spec_of: SpecOf) -> None:
    warm, spec = Warm(), spec_of("shallownet")
    network = warm.network(blueprint(spec))
    for same in (other(spec), spec_of("shallownet", seed=4), spec_of("shallownet", monitor="val_accuracy")):
        assert warm.network(blueprint(same)) is network
    for different in ({"batch_size": 7}, {"head": "dense"}, {"weighting": "focal"}, {"augmentation": "flip"}):
        assert warm.network(blueprint(spec_of("shallownet", **different))) is not network


def test_few_networks_stay_and_large_ones_make_room(spec_of: SpecOf, monkeypatch: pytest.MonkeyPatch) -> None:
    warm = Warm()
    names = ["shallownet", "lenet", "minivgg"]
    first = [warm.network(blueprint(spec_of(name))) for name in names]
    assert warm.network(blueprint(spec_of("minivgg"))) is first[2]
    assert warm.network(blueprint(spec_of("lenet"))) is first[1]
    assert warm.network(blueprint(spec_of("shallownet"))) is not first[0]
    monkeypatch.setattr("benchmark.model.networks.KEPT_PARAMETERS", 10)
    again = warm.network(blueprint(spec_of("minivgg")))
    assert isinstance(again, Network)
    assert len(warm._networks) == 1
