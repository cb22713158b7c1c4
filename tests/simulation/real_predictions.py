"""Real predictions of boards whose truth is known: python tests/simulation/real_predictions.py

Trains shallownet on the digits through the command line, into a temporary folder: one recipe under twenty names of
candidate, each with three seeds of its own, then a candidate whose learning rate is too small to learn anything.

Expected: the twenty tie, each with ranks 1-20; the crippled one is below them, alone on rank 21, and they still tie.
Chance alone breaks the first in at most 5 of 100 such studies. Exit code 1 otherwise. About ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

SWEEP = "one_recipe"
SETTINGS = ("backbone=shallownet", "training.epochs=3", f"sweep.name={SWEEP}", "tracking=none", "report.level=none")


def train(results: Path, name: str, seeds: range, *changes: str) -> None:
    """The runs of one candidate."""
    words = [*SETTINGS, f"head.name={name}", f"paths.results={results}", *changes]
    command = [sys.executable, "-m", "benchmark", "-m", *words, f"seed={','.join(map(str, seeds))}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")


def bench(*words: str) -> str:
    """What `bench` prints."""
    command = [sys.executable, "-c", "from benchmark.cli import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def ranked(results: Path) -> list[dict[str, str]]:
    """The rows with a rank, after the board has been printed."""
    directory = str(results / SWEEP)
    sys.stdout.write(bench("leaderboard", directory))
    sys.stdout.flush()
    rows = csv.DictReader(io.StringIO(bench("leaderboard", directory, "-f", "csv")))
    return [row for row in rows if row["rank"]]


def check(name: str, rows: list[dict[str, str]], expected: dict[tuple[str, str, str], int]) -> bool:
    """Whether so many rows have these first and last ranks and are tied or not; says so."""
    found = Counter((row["rank_low"], row["rank_high"], row["tied_with_best"]) for row in rows)
    agrees = found == expected
    sys.stdout.write(f"{name}: {'as expected' if agrees else f'found {dict(found)}, expected {expected}'}\n\n")
    return agrees


def main() -> int:
    """Trains, prints the boards, and says whether they are as expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=20, help="names of the one recipe")
    count = parser.parse_args().names
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        for place in range(count):
            train(results, f"name{place + 1:02d}", range(3 * place, 3 * place + 3))
        tied = check("one recipe", ranked(results), {("1", str(count), "true"): count})
        train(results, "crippled", range(3), "training.learning_rate=1e-7")
        last = str(count + 1)
        expected = {("1", str(count), "true"): count, (last, last, "false"): 1}
        below = check("with a crippled candidate", ranked(results), expected)
    return 0 if tied and below else 1


if __name__ == "__main__":
    sys.exit(main())
