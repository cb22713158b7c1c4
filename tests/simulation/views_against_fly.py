"""Do a few kept views of every picture do as well as new ones in every epoch? views_against_fly.py [DIR] [WEIGHTS]

Trains a linear head on a frozen backbone twice through the command line, with `training.augmented_views=8` and with 0,
each with the same seeds, and prints the comparison of the two boards: a paired test on the shared test pictures with
the interval of the difference (kept views minus new ones). DIR has a folder of pictures for each class and goes with
WEIGHTS, an Xception file without top; without them it is shallownet with random weights on the digits. Exit code 1 when
one of the two is significantly better.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHARED = ("finetune=frozen", "head=linear", "training.batch_size=32", "tracking=none", "report.level=none")
PAIRED_BY = "backbone,head,augmentation"
SWEEPS = {"fly": 0, "views": 8}
"""Each sweep's `training.augmented_views`."""


def words_for(arguments: argparse.Namespace) -> list[str]:
    """The options that both sweeps share."""
    words = [*SHARED, f"augmentation={arguments.augmentation}", f"training.epochs={arguments.epochs}"]
    words += [f"training.learning_rate={arguments.learning_rate}", f"seed=range({arguments.seeds})"]
    if arguments.data is None:
        return [*words, "dataset=digits", "backbone=shallownet"]
    root = f"dataset.root={arguments.data.resolve()}"
    weights = f"backbone.weights={arguments.weights.resolve()}"
    most = [f"dataset.max_per_class={arguments.per_class}"]
    return [*words, "dataset=folder", root, *most, "dataset.image_size=128", "backbone=xception", weights]


def seconds_of_sweep(name: str, words: list[str], results: Path) -> float:
    """Run a sweep to its end; the program ends where it fails."""
    begun = time.perf_counter()
    more = [f"sweep.name={name}", f"training.augmented_views={SWEEPS[name]}", f"paths.results={results}"]
    command = [sys.executable, "-m", "benchmark", "-m", *words, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - begun


def compared(results: Path) -> dict[str, Any]:
    """What `bench diff` says: sentences, and a row for the one candidate of each sweep."""
    words = ["diff", str(results / "fly"), str(results / "views"), "--by", PAIRED_BY, "--format", "json"]
    command = [sys.executable, "-c", "from benchmark.cli import main; main()", *words]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


def sentence(row: dict[str, Any]) -> str:
    """The row's scores, their difference and its interval, in words."""
    verdict = {"~": "not significant", "=": "the same", "+": "kept views are better", "-": "new views are better"}
    return (
        f"new views in every epoch {row['score_left']:.3f}, {SWEEPS['views']} kept views {row['score_right']:.3f}: "
        f"difference {row['difference']:+.3f}, 95 % interval {row['difference_low']:+.3f} to "
        f"{row['difference_high']:+.3f} ({verdict[row['mark']]}), {row['seeds_left']} seeds"
    )


def main() -> int:
    """Run both sweeps and compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", metavar="DIR")
    parser.add_argument("weights", type=Path, nargs="?", metavar="WEIGHTS")
    parser.add_argument("--per-class", type=int, default=150, help="pictures of each class of DIR")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--augmentation", default="light", help="a file of conf/augmentation/")
    arguments = parser.parse_args()
    if arguments.data and not arguments.weights:
        parser.error("found DIR without WEIGHTS; expected both: random frozen weights say nothing about real pictures")
    with tempfile.TemporaryDirectory() as folder:
        results, words = Path(folder), words_for(arguments)
        for name in SWEEPS:
            taken = seconds_of_sweep(name, words, results)
            sys.stdout.write(f"training.augmented_views={SWEEPS[name]}: {taken:.0f} s\n")
            sys.stdout.flush()
        found = compared(results)
    [row] = [row for row in found["rows"] if row["head"] == "linear"]  # the others are the baselines
    sys.stdout.write(f"{arguments.augmentation}, {arguments.epochs} epochs: {sentence(row)}\n")
    return 0 if row["mark"] in ("~", "=") else 1


if __name__ == "__main__":
    sys.exit(main())
