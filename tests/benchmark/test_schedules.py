from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmark import schedules
from benchmark.spec import ScheduleSpec

CONF = Path(__file__).parents[2] / "conf" / "schedule"
EPOCHS, STEPS = 4, 5


@pytest.fixture(scope="module")
def rates_of() -> Callable[..., np.ndarray]:
    """The rates of all steps of a stage of 4 epochs of 5 steps at a learning rate of .1, without improvements."""

    def rates_of(rule: str, stalls: tuple[int, ...] = (0, 1, 2, 3), **numbers: float) -> np.ndarray:
        spec = ScheduleSpec(**{**yaml.safe_load((CONF / f"{rule}.yaml").read_text()), **numbers})
        epochs = [schedules.Progress(0.1, epoch, EPOCHS, STEPS, stalls[:epoch]) for epoch in range(EPOCHS)]
        return np.concatenate([schedules.rates(spec, progress) for progress in epochs])

    return rates_of


def test_constant_stays_the_same(rates_of: Callable[..., np.ndarray]) -> None:
    np.testing.assert_allclose(rates_of("constant"), np.full(20, 0.1), rtol=1e-6)


def test_cosine_goes_from_the_rate_to_its_final_fraction(rates_of: Callable[..., np.ndarray]) -> None:
    found = rates_of("cosine", final_fraction=0.2)
    expected = [0.02 + 0.08 * (1 + np.cos(np.pi * step / 19)) / 2 for step in range(20)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found[0] == pytest.approx(0.1)
    assert found[-1] == pytest.approx(0.02)


def test_one_cycle_rises_to_the_rate_and_falls_far_below_its_start(rates_of: Callable[..., np.ndarray]) -> None:
    found = rates_of("one_cycle", warmup_fraction=10 / 19, start_divisor=10, end_divisor=100)
    assert found[0] == pytest.approx(0.01)
    assert found[10] == pytest.approx(0.1) == found.max()
    assert found[-1] == pytest.approx(0.0001)
    assert (np.diff(found[:11]) > 0).all()
    assert (np.diff(found[10:]) < 0).all()
    assert found[5] == pytest.approx((0.01 + 0.1) / 2)


def test_one_cycle_without_warm_up_only_falls(rates_of: Callable[..., np.ndarray]) -> None:
    found = rates_of("one_cycle", warmup_fraction=0.0)
    assert found[0] == pytest.approx(0.1)
    assert (np.diff(found) < 0).all()


def test_a_plateau_lowers_the_rate_once_for_each_patience(rates_of: Callable[..., np.ndarray]) -> None:
    found = rates_of("reduce_on_plateau", patience=1, factor=0.5, minimum=0.03)[::STEPS]
    np.testing.assert_allclose(found, [0.1, 0.1, 0.05, 0.03], rtol=1e-6)


def test_an_improvement_starts_the_wait_anew(rates_of: Callable[..., np.ndarray]) -> None:
    found = rates_of("reduce_on_plateau", stalls=(0, 1, 0, 1), patience=2, factor=0.5)[::STEPS]
    np.testing.assert_allclose(found, [0.1] * 4, rtol=1e-6)


def test_a_minimum_above_the_rate_does_not_raise_it(rates_of: Callable[..., np.ndarray]) -> None:
    assert rates_of("reduce_on_plateau", minimum=1.0).max() == pytest.approx(0.1)


@pytest.mark.parametrize("rule", schedules.names())
def test_no_rate_is_negative_or_above_the_learning_rate(rule: str, rates_of: Callable[..., np.ndarray]) -> None:
    found = rates_of(rule)
    assert found.shape == (20,)
    assert (found >= 0).all()
    assert found.max() == pytest.approx(0.1, rel=0.01)
    assert found.max() <= np.float32(0.1)


def test_a_misspelt_schedule_gets_a_suggestion() -> None:
    with pytest.raises(schedules.UnknownSchedule, match="did you mean 'cosine'"):
        schedules.find("cosin")
