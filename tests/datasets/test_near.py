"""The search for near hashes, compared with comparing all with all."""

import numpy as np
import pytest

from datasets.dedupe import linked
from datasets.near import near_pairs


def clustered(seed, count=600):
    """Random hashes, many of them a few bits from one another, some equal."""
    generator = np.random.default_rng(seed)
    centres = generator.integers(0, 2**64, count // 4, dtype=np.uint64)
    hashes = generator.choice(centres, count)
    for _ in range(7):
        flips = np.uint64(1) << generator.integers(0, 64, count, dtype=np.uint64)
        hashes = np.where(generator.random(count) < 0.5, hashes ^ flips, hashes)
    return hashes


def all_pairs(left, right, distance):
    apart = np.bitwise_count(left[:, None] ^ right[None, :])
    return {(int(i), int(j)) for i, j in zip(*np.nonzero(apart <= distance), strict=True)}


def components(count, pairs):
    links = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return linked(count, (links[:, 0], links[:, 1]))


@pytest.mark.parametrize("distance", [0, 1, 3, 4, 5, 8, 10, 12, 16])
def test_the_search_links_what_comparing_all_with_all_links(distance):
    hashes, mirrored = clustered(1), clustered(2)
    mirrored[:50] = hashes[100:150]
    found = near_pairs(hashes, mirrored, distance)
    expected = {tuple(sorted(pair)) for pair in all_pairs(hashes, hashes, distance)}
    expected |= {tuple(sorted(pair)) for pair in all_pairs(mirrored, hashes, distance)}
    expected = {pair for pair in expected if pair[0] != pair[1]}
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs <= expected
    assert (components(600, pairs) == components(600, expected)).all()


@pytest.mark.parametrize("distance", [2, 4, 9])
def test_every_near_pair_of_different_hashes_is_found_once_with_its_distance(distance):
    hashes = np.unique(clustered(3))
    nothing = ~hashes  # mirror images far from everything
    found = near_pairs(hashes, nothing, distance)
    upright = ~found.mirrored
    pairs = list(zip(found.first[upright].tolist(), found.second[upright].tolist(), strict=True))
    expected = {(i, j) for i, j in all_pairs(hashes, hashes, distance) if i < j}
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == expected
    assert (np.bitwise_count(hashes[found.first] ^ hashes[found.second])[upright] == found.distance[upright]).all()


def test_a_pair_near_both_ways_counts_as_upright():
    found = near_pairs(np.array([5, 5], np.uint64), np.array([5, 5], np.uint64), 4)
    assert (found.first.tolist(), found.second.tolist(), found.mirrored.tolist()) == ([0], [1], [False])


def test_sixty_thousand_equal_hashes_give_a_chain_and_not_billions_of_pairs():
    hashes = np.full(60_000, 77, np.uint64)
    assert len(near_pairs(hashes, ~hashes, 4).first) == 59_999


def test_no_hashes_have_no_pairs():
    nothing = np.zeros(0, np.uint64)
    assert len(near_pairs(nothing, nothing, 4).first) == 0
