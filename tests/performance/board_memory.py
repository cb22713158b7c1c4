"""How much memory the comparison of many candidates takes: python tests/performance/board_memory.py

The bound: 4 GiB for 200 candidates on 20,000 images with 3 seeds; 1000 candidates on 1000 images are to work at all.
Each setting runs in a fresh process, whose highest resident memory is taken when it is done; `before` is that highest
value when the answers are in memory and nothing is compared yet.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from benchmark.statistics import Answers, Outcomes, compare

SETTINGS = (
    (200, 20_000, 3, "balanced_accuracy"),
    (200, 20_000, 3, "macro_f1"),
    (1000, 1000, 1, "balanced_accuracy"),
    (1000, 1000, 3, "balanced_accuracy"),
    (1000, 1000, 3, "macro_f1"),
)
CLASSES = 10


def drawn(candidates: int, images: int, seeds: int) -> Outcomes:
    """Candidates of 50 to 80 % right answers that share the difficulty of images."""
    generator = np.random.default_rng(0)
    truth = np.arange(images) % CLASSES
    difficulty = generator.random(images)
    rows = []
    for skill in np.linspace(0.8, 0.5, candidates):
        right = difficulty + generator.normal(0, 0.1, (seeds, images)) < skill
        other = (truth + generator.integers(1, CLASSES, (seeds, images))) % CLASSES
        rows.append(Answers("frozen", np.where(right, truth, other).astype(np.int32), np.where(right, -0.1, -2.0)))
    return Outcomes(truth, np.arange(images), CLASSES, tuple(rows))


def highest() -> float:
    """Highest resident memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(candidates: int, images: int, seeds: int, metric: str) -> None:
    """Compare once and print a row."""
    outcomes = drawn(candidates, images, seeds)
    before, begin = highest(), time.perf_counter()
    found = compare(outcomes, metric, seed=0)
    sys.stdout.write(
        f"{candidates:10d} {images:7d} {seeds:5d} {metric:>18s} {before:8.2f} {highest():8.2f} "
        f"{time.perf_counter() - begin:8.1f} {int(found.tied_with_best.sum()):6d}\n"
    )


def main() -> None:
    """Every setting, or the one given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", nargs="*", help="CANDIDATES IMAGES SEEDS METRIC, in this process")
    words = parser.parse_args().setting
    if words:
        candidates, images, seeds, metric = words
        measure(int(candidates), int(images), int(seeds), metric)
        return
    sys.stdout.write("candidates  images seeds             metric   before     peak  seconds   tied   (GiB)\n")
    sys.stdout.flush()
    for setting in SETTINGS:
        subprocess.run([sys.executable, __file__, *map(str, setting)], check=True)


if __name__ == "__main__":
    main()
