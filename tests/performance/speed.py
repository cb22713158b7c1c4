"""Every speed figure as a ratio against plain Keras code in the same run: python speed.py [--data DIR] [--weights FILE]

Prints a table of the medians of all rounds and keeps it in results/performance.csv. Without data, drawn shapes and
random weights stand in. A goal that is missed is marked and no failure: machines differ.
"""

import argparse
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

import measure_extraction  # noqa: E402
import measure_frozen  # noqa: E402
import measure_heads  # noqa: E402
import measure_machinery  # noqa: E402
import measure_sweeps  # noqa: E402
from figures import KEY, keep, row, show_figures  # noqa: E402
from measuring import Setting  # noqa: E402
from profiling import profile  # noqa: E402

from datasets.sources.shapes import draw  # noqa: E402
from datasets.spec import ShapesRule  # noqa: E402

PARTS = {
    "heads": measure_heads.measure,
    "sweeps": measure_sweeps.measure,
    "machinery": measure_machinery.measure,
    "extraction": measure_extraction.measure,
    "frozen": measure_frozen.measure,
}


def main() -> None:
    """Measure the wanted parts and show them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder with one folder of pictures for each class")
    parser.add_argument("--weights", type=Path, help="Xception weights without top")
    parser.add_argument("--only", choices=list(PARTS), nargs="*", default=list(PARTS), help="or nothing")
    parser.add_argument("--profile", action="store_true", help="say where the time of the first row goes, too")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of every figure, whose median counts")
    parser.add_argument("--quick", action="store_true", help="see that all works: tiny, one round, kept nowhere")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "performance.csv")
    chosen = parser.parse_args()
    for path in (chosen.data, chosen.weights):
        if path and not path.exists():
            parser.error(f"found no {path}; expected a folder of pictures and a file of weights")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        data = chosen.data.resolve() if chosen.data else shapes(scratch / "shapes")
        weights = chosen.weights.resolve() if chosen.weights else None
        repeats = 1 if chosen.quick else chosen.repeats
        out = scratch / "performance.csv" if chosen.quick else chosen.out.resolve()
        setting = Setting(data, weights, scratch, repeats, chosen.data is not None, chosen.quick)
        figures = []
        for name in chosen.only:
            for figure in PARTS[name](setting):
                print(f"{figure.work.name}: {figure.found:.3f} {figure.verdict}", flush=True)
                keep([row(figure)], KEY, out)
                figures.append(figure)
        if figures:
            show_figures(figures)
        if chosen.profile:
            profile(setting, out.with_name(f"{out.stem}-profile.csv"))


def shapes(root: Path) -> Path:
    """Class folders of drawn shapes."""
    rule = ShapesRule(classes=4, per_class=60, imbalance=1.0, difficulty=0.4, size=128, seed=0)
    for name in ("circle", "square", "triangle", "star"):
        (root / name).mkdir(parents=True)
        for index in range(rule.per_class):
            draw(rule, name, index).save(root / name / f"{index:03d}.png")
    return root


main()
