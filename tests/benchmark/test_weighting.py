import copy
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from benchmark import weighting

COUNTS = (4863, 2623, 1446, 2112, 3098, 1668, 1866, 1820, 4821, 1862)
CLASSES = tuple("abcdefghij")


def weigh(rule: str, counts: tuple[int, ...], beta: float = 0.999) -> np.ndarray:
    labels = np.repeat(np.arange(len(counts)), counts)
    return weighting.weigh(SimpleNamespace(rule=rule, beta=beta), labels, CLASSES[: len(counts)])


def test_balanced_equals_scikit_learn() -> None:
    labels = np.repeat(np.arange(10), COUNTS)
    expected = compute_class_weight("balanced", classes=np.arange(10), y=labels)
    np.testing.assert_allclose(weigh("balanced", COUNTS), expected)


def test_square_root_is_half_way_between_none_and_balanced() -> None:
    ratio = weigh("sqrt_balanced", (90, 10))
    assert ratio[1] / ratio[0] == pytest.approx(3)


def test_max_ratio_normalised_is_balanced() -> None:
    np.testing.assert_allclose(weigh("max_ratio", COUNTS), weigh("balanced", COUNTS))


def test_effective_number_follows_the_published_formula() -> None:
    raw = np.array([(1 - 0.99) / (1 - 0.99**n) for n in (300, 20, 5)])
    expected = raw * 325 / (raw * [300, 20, 5]).sum()
    np.testing.assert_allclose(weigh("effective_number", (300, 20, 5), 0.99), expected)


def test_effective_number_without_overlap_weighs_all_alike_and_with_full_overlap_is_balanced() -> None:
    np.testing.assert_allclose(weigh("effective_number", (300, 20, 5), 0.0), 1)
    np.testing.assert_allclose(
        weigh("effective_number", (300, 20, 5), 1 - 1e-9), weigh("balanced", (300, 20, 5)), rtol=1e-5
    )


@given(st.lists(st.integers(1, 400), min_size=2, max_size=10), st.sampled_from(weighting.names()))
def test_the_mean_weight_of_the_training_pictures_is_one(counts: list[int], rule: str) -> None:
    weights = weigh(rule, tuple(counts))
    assert (weights > 0).all()
    assert np.average(weights, weights=counts) == pytest.approx(1)


@pytest.mark.parametrize("rule", weighting.names())
def test_a_class_without_training_pictures_is_refused_by_name(rule: str) -> None:
    with pytest.raises(weighting.AbsentClass, match="no training picture of b"):
        weigh(rule, (3, 0, 2))


def test_a_class_missing_at_the_end_is_noticed_too() -> None:
    with pytest.raises(weighting.AbsentClass, match="no training picture of c"):
        weigh("balanced", (3, 1, 0))


def test_a_misspelt_rule_gets_a_suggestion() -> None:
    with pytest.raises(weighting.UnknownWeighting, match="did you mean 'balanced'"):
        weigh("balancd", (1, 2))


def test_oversampling_shows_every_class_equally_often_and_every_picture_at_least_once() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [50, 21, 3]))
    rows = weighting.oversampled(labels, np.random.default_rng(7))
    assert np.bincount(labels[rows]).tolist() == [50, 50, 50]
    times = np.bincount(rows, minlength=len(labels))
    assert times.min() >= 1
    assert set(times[labels == 1]) == {2, 3}
    assert set(times[labels == 2]) == {16, 17}


def test_an_epoch_is_shuffled_by_its_generator_alone() -> None:
    labels = np.repeat([0, 1], [6, 2])
    for rule, length in (("balanced", 8), ("oversample", 12)):
        chosen = SimpleNamespace(rule=rule, beta=0.0)
        orders = [weighting.epoch_order(chosen, labels, np.random.default_rng(seed)) for seed in (1, 1, 2)]
        assert [len(order) for order in orders] == [length] * 3
        assert orders[0].tolist() == orders[1].tolist() != orders[2].tolist()
        assert set(orders[0].tolist()) == set(range(8))


def test_a_new_rule_is_one_decorated_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighting, "_REGISTRY", copy.deepcopy(weighting._REGISTRY))

    @weighting.rule
    def cubic(counts: np.ndarray, beta: float) -> np.ndarray:
        return counts.astype(float) ** -3

    assert weigh("cubic", (1, 2))[0] / weigh("cubic", (1, 2))[1] == pytest.approx(8)
