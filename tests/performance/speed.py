"""Every speed figure as a ratio against plain Keras code in the same run: python speed.py [--data DIR] [--weights FILE]

Prints each figure, the median of its rounds, and keeps it in results/performance.csv. Without data, drawn shapes and
random weights stand in.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

import measure_extraction  # noqa: E402
import measure_frozen  # noqa: E402
import measure_heads  # noqa: E402
import measure_sweeps  # noqa: E402
from measuring import Measured, Setting  # noqa: E402

from datasets.sources.shapes import draw  # noqa: E402
from datasets.spec import ShapesRule  # noqa: E402

PARTS = {
    "heads": measure_heads.measure,
    "sweeps": measure_sweeps.measure,
    "extraction": measure_extraction.measure,
    "frozen": measure_frozen.measure,
}


def main() -> None:
    """Measure the wanted parts and show them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder with one folder of pictures for each class")
    parser.add_argument("--weights", type=Path, help="Xception weights without top")
    parser.add_argument("--only", choices=list(PARTS), nargs="*", default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=3, help="rounds of every figure, whose median counts")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance.csv")
    chosen = parser.parse_args()
    machine = f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}"
    with tempfile.TemporaryDirectory() as scratch:
        data = chosen.data.resolve() if chosen.data else shapes(Path(scratch) / "shapes")
        weights = chosen.weights.resolve() if chosen.weights else None
        setting = Setting(data, weights, Path(scratch), chosen.repeats, chosen.data is not None)
        for name in chosen.only:
            found = PARTS[name](setting)
            for one in found:
                reached = "reached" if one.reached else "NOT reached"
                print(f"{one.work}: {one.found:.2f} (goal {one.goal}: {reached})  {one.detail}", flush=True)
            keep(found, machine, chosen.out)


def keep(found: Sequence[Measured], machine: str, path: Path) -> None:
    """Put the figures into the table, a row each; figures of other parts that are there already stay."""
    rows = [
        {
            "work": one.work,
            "goal": one.goal,
            "found": round(one.found, 3),
            "reached": one.reached,
            "values": " ".join(f"{value:.3f}" for value in one.values),
            "detail": one.detail,
            "machine": machine,
        }
        for one in found
    ]
    table = pd.DataFrame(rows)
    if path.exists():
        before = pd.read_csv(path)
        if list(before.columns) == list(table.columns):
            table = pd.concat([before[~before["work"].isin(table["work"])], table])
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")


def shapes(root: Path) -> Path:
    """Class folders of drawn shapes."""
    rule = ShapesRule(classes=4, per_class=60, imbalance=1.0, difficulty=0.4, size=128, seed=0)
    for name in ("circle", "square", "triangle", "star"):
        (root / name).mkdir(parents=True)
        for index in range(rule.per_class):
            draw(rule, name, index).save(root / name / f"{index:03d}.png")
    return root


main()
