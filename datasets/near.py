"""Pairs of 64-bit hashes within a Hamming distance, found without comparing all with all.

Multi-index hashing (Norouzi, Punjani and Fleet, CVPR 2012): a hash is cut into four bands of 16 bits. Two hashes
within distance d = 4 r + a differ by at most r bits in one of the first a + 1 bands, or by r - 1 in one of the others.
"""

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

UInt64s = npt.NDArray[np.uint64]
Int64s = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_BANDS = 4
_BITS = 16
_BLOCK = 1 << 22


class NearPairs(NamedTuple):
    """Positions of two hashes (first < second), each pair once, and their distance in bits; shape (n,) each."""

    first: Int64s
    second: Int64s
    distance: Int64s
    mirrored: BoolArray
    """Whether only the mirror image is as near as that."""


def near_pairs(hashes: UInt64s, mirrored: UInt64s, distance: int) -> NearPairs:
    """Pairs that link all hashes within the distance of one another, or of one another's mirror image.

    Equal hashes are linked in a chain instead of all with all; every other pair of different hashes is returned.
    """
    unique, inverse = np.unique(hashes, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(unique)))
    alike = inverse[order[1:]] == inverse[order[:-1]]
    one, other, bits = _search(unique, unique, distance)
    turned, there, turned_bits = _search(mirrored, unique, distance)
    first = np.concatenate([order[:-1][alike], order[starts[one]], turned])
    second = np.concatenate([order[1:][alike], order[starts[other]], order[starts[there]]])
    distances = np.concatenate([np.zeros(int(alike.sum()), np.int64), bits, turned_bits])
    by_mirror = np.arange(len(first)) >= len(first) - len(turned)
    return _each_once(first, second, distances, by_mirror)


def _each_once(first: Int64s, second: Int64s, distance: Int64s, mirrored: BoolArray) -> NearPairs:
    low, high = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((distance, mirrored, high, low))
    order = order[low[order] != high[order]]
    low, high = low[order], high[order]
    new = np.ones(len(low), bool)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return NearPairs(low[new], high[new], distance[order][new], mirrored[order][new])


def _search(queries: UInt64s, stored: UInt64s, distance: int) -> tuple[Int64s, Int64s, Int64s]:
    """All (query, stored, distance) within the distance; a pair may appear more than once."""
    radius, spare = divmod(distance, _BANDS)
    found = [(np.zeros(0, np.int64),) * 3]
    for band in range(_BANDS):
        within = radius if band <= spare else radius - 1
        if within >= 0:
            found += _search_band(queries, stored, band, within, distance)
    first, second, bits = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return first, second, bits


def _search_band(
    queries: UInt64s, stored: UInt64s, band: int, within: int, distance: int
) -> list[tuple[Int64s, Int64s, Int64s]]:
    order = np.argsort(_cut(stored, band), kind="stable")
    bounds = np.searchsorted(_cut(stored, band)[order], np.arange((1 << _BITS) + 1))
    keys = _cut(queries, band)
    found = []
    for mask in _masks(within):
        begin, end = bounds[keys ^ mask], bounds[(keys ^ mask) + 1]
        for rows in _blocks(end - begin):
            counts = (end - begin)[rows]
            query = np.repeat(np.arange(rows.start, rows.stop), counts)
            offset = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
            candidate = order[begin[query] + offset]
            bits = np.bitwise_count(queries[query] ^ stored[candidate])
            near = bits <= distance
            found.append((query[near], candidate[near], bits[near].astype(np.int64)))
    return found


def _blocks(counts: Int64s) -> list[slice]:
    """Slices of the queries, each with about _BLOCK candidates, so that memory stays bounded."""
    block = np.cumsum(counts) // _BLOCK
    edges = np.flatnonzero(np.diff(block, prepend=-1))
    return [slice(int(a), int(b)) for a, b in itertools.pairwise([*edges.tolist(), len(counts)])]


def _cut(hashes: UInt64s, band: int) -> Int64s:
    """Every fourth bit, beginning with bit `band`: low frequencies, which vary most, are shared out evenly."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)[:, band::_BANDS]
    return np.packbits(bits, axis=1).view(">u2").ravel().astype(np.int64)


def _masks(within: int) -> list[int]:
    return [
        sum(1 << bit for bit in bits)
        for count in range(within + 1)
        for bits in itertools.combinations(range(_BITS), count)
    ]
