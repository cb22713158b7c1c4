"""What the search for near copies costs: python tests/performance/data_near.py [HASHES]

The bounds, for 60,000 hashes: under 1 s of CPU at distance 4, under 20 s at distance 10. The hashes have half their
bits set, as perceptual hashes do, and one in ten has a near copy. Comparing all with all in blocks is the control.
"""

import sys
import time

import numpy as np

from datasets.near import near_pairs

BLOCK = 500


def hashes(number: int, seed: int) -> np.ndarray:
    """So many hashes of 64 bits, 32 of them set; one in ten is another one with two bits changed."""
    random = np.random.default_rng(seed)
    bits = np.argsort(random.random((number, 64)), axis=1) < 32
    found = np.packbits(bits, axis=1).view(np.uint64).ravel()
    copies = number // 10
    flips = np.uint64(1) << random.integers(0, 64, (2, copies), dtype=np.uint64)
    found[:copies] = found[copies : 2 * copies] ^ flips[0] ^ flips[1]
    return found


def all_with_all(left: np.ndarray, right: np.ndarray, distance: int) -> int:
    """How many pairs are within the distance, counted the slow way."""
    blocks = (left[start : start + BLOCK, None] for start in range(0, len(left), BLOCK))
    return sum(int((np.bitwise_count(block ^ right) <= distance).sum()) for block in blocks)


def main() -> None:
    """Measure and print."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    upright, mirrored = hashes(number, 1), hashes(number, 2)
    begin = time.process_time()
    slow = all_with_all(upright, upright, 4) + all_with_all(mirrored, upright, 4)
    control = time.process_time() - begin
    sys.stdout.write(f"{number} hashes and their mirror images; all with all {control:.2f} s of CPU\n")
    assert (slow - number) // 2 >= number // 10
    for distance in (0, 4, 8, 10, 12):
        begin = time.process_time()
        found = near_pairs(upright, mirrored, distance)
        spent = time.process_time() - begin
        sys.stdout.write(
            f"distance {distance:2d}: {spent:6.2f} s of CPU, {control / spent:6.1f} times faster, "
            f"{len(found.first)} pairs\n"
        )


if __name__ == "__main__":
    main()
