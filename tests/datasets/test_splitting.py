"""Sharing out pictures: exact shares, whole groups, every class everywhere, decided by the seed alone."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from datasets.splitting import ClassWithoutPart, allocate

HOLDOUT = (0.7, 0.15, 0.15)


def counts(labels, parts, number):
    return np.stack([np.bincount(parts[labels == label], minlength=number) for label in np.unique(labels)])


@given(st.lists(st.integers(3, 120), min_size=1, max_size=6), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_single_pictures_meet_their_shares_to_within_one(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parts = allocate(labels, np.arange(len(labels)), HOLDOUT, seed)
    exact = np.array(sizes)[:, None] * np.array(HOLDOUT)
    given_least_one = np.maximum(exact, 1)
    found = counts(labels, parts, 3)
    assert (found >= 1).all()
    assert (found <= np.ceil(given_least_one + 1e-9)).all()
    assert (found >= np.floor(exact - 1e-9) - 2).all()
    large = np.array(sizes) >= 20
    assert (np.abs(found - exact)[large] < 1 + 1e-9).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=30, max_size=90), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_groups_are_never_divided(content, seed):
    labels = np.array([label for label, size in content for _ in range(size)])
    groups = np.array([number for number, (_, size) in enumerate(content) for _ in range(size)])
    labels = np.unique(labels, return_inverse=True)[1]
    if np.bincount(labels[np.unique(groups, return_index=True)[1]]).min() < 3:
        return
    parts = allocate(labels, groups, HOLDOUT, seed)
    assert all(len(set(parts[groups == group])) == 1 for group in np.unique(groups))
    assert (counts(labels, parts, 3) >= 1).all()


@pytest.mark.parametrize("folds", [3, 5, 10])
def test_equal_folds_are_at_least_as_even_as_scikit_learn_makes_them(folds):
    generator = np.random.default_rng(folds)
    sizes = generator.integers(1, 8, 300)
    groups = np.repeat(np.arange(300), sizes)
    labels = np.repeat(generator.choice(4, 300, p=[0.5, 0.25, 0.15, 0.1]), sizes)
    theirs = np.full(len(labels), -1)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for fold, (_, test) in enumerate(splitter.split(labels, labels, groups)):
            theirs[test] = fold
    ours = allocate(labels, groups, [1 / folds] * folds, 0)
    share = np.bincount(labels)[:, None] / folds
    uneven = [np.abs(counts(labels, parts, folds) - share).mean() for parts in (ours, theirs)]
    assert uneven[0] <= uneven[1]


def test_the_seed_alone_decides():
    labels, groups = np.repeat([0, 1], 50), np.repeat(np.arange(50), 2)
    one = allocate(labels, groups, HOLDOUT, 1)
    np.random.default_rng().shuffle(np.arange(10))
    assert (one == allocate(labels, groups, HOLDOUT, 1)).all()
    assert (one != allocate(labels, groups, HOLDOUT, 2)).any()


def test_three_groups_of_one_class_reach_three_parts_whatever_their_sizes():
    groups = np.repeat([0, 1, 2], [50, 40, 1])
    parts = allocate(np.zeros(91, np.int64), groups, HOLDOUT, 0)
    assert set(parts) == {0, 1, 2}


def test_a_class_with_two_groups_cannot_reach_three_parts():
    labels = np.array([0] * 10 + [1] * 10)
    groups = np.array([*range(10), *([10] * 5), *([11] * 5)])
    with pytest.raises(ClassWithoutPart) as caught:
        allocate(labels, groups, HOLDOUT, 0)
    assert caught.value.label == 1


def test_a_large_album_leaves_the_shares_of_the_rest_near_their_aim():
    labels = np.repeat([0, 1], [100, 100])
    groups = np.concatenate([np.zeros(60, np.int64), np.arange(1, 141)])
    found = counts(labels, allocate(labels, groups, HOLDOUT, 3), 3)
    assert found.tolist() == [[70, 15, 15], [70, 15, 15]]
