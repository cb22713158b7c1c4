"""What a backbone says about its cost is what its layers add up to."""

import pytest

from backbones import registry
from backbones.build import build
from backbones.cost import flops

SAID = [name for name in registry.names() if registry.find(name).gflops is not None]


@pytest.mark.parametrize("name", [name for name in SAID if (registry.find(name).gflops or 0) < 20])
def test_the_cost_that_a_plan_is_made_with_is_that_of_the_built_network(name: str) -> None:
    entry = registry.find(name)
    spec = registry.BackboneSpec(name=name, weights="none", pooling=entry.poolings[0], application=None)
    built = flops(build(spec, entry.default_size, None)) / 1e9
    assert registry.gflops(name, entry.default_size) == pytest.approx(built, rel=0.02)


def test_twice_the_side_costs_four_times() -> None:
    assert registry.gflops("xception", 598) == pytest.approx(4 * (registry.gflops("xception", 299) or 0))


def test_a_network_of_the_users_choice_has_no_known_cost() -> None:
    assert registry.gflops("keras_application", 224) is None
