"""Every speed figure as a ratio against plain Keras code in the same run: python speed.py [--data DIR] [--weights FILE]

Prints a table and writes it to results/performance.csv. Without data, drawn shapes and random weights stand in.
"""

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

import measure_extraction  # noqa: E402
import measure_frozen  # noqa: E402
import measure_heads  # noqa: E402
import measure_sweeps  # noqa: E402
from measuring import Setting  # noqa: E402

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
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance.csv")
    chosen = parser.parse_args()
    machine = f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}"
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        data = chosen.data.resolve() if chosen.data else shapes(Path(scratch) / "shapes")
        weights = chosen.weights.resolve() if chosen.weights else None
        setting = Setting(data, weights, Path(scratch), chosen.repeats, chosen.data is not None)
        for name in chosen.only:
            for one in PARTS[name](setting):
                rows.append({**one._asdict(), "value": round(one.value, 3), "machine": machine})
                reached = "reached" if one.reached else "NOT reached"
                print(f"{one.work}: {one.value:.2f} (goal {one.goal}: {reached})  {one.detail}", flush=True)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(chosen.out, index=False, lineterminator="\n")


def shapes(root: Path) -> Path:
    """Class folders of drawn shapes."""
    rule = ShapesRule(classes=4, per_class=60, imbalance=1.0, difficulty=0.4, size=128, seed=0)
    for name in ("circle", "square", "triangle", "star"):
        (root / name).mkdir(parents=True)
        for index in range(rule.per_class):
            draw(rule, name, index).save(root / name / f"{index:03d}.png")
    return root


main()
