"""How large is a report, and how long does it take? python tests/simulation/report_cost.py [--candidates 40 100]

Writes sweeps by hand through the project's own store: candidates of three seeds whose answers are drawn, on 600 noisy
test pictures of ten classes (pictures that compress badly). Prints for each the megabytes of report.html, the seconds
of processor time to make it from the folder, and those of the page of one run with all its figures. Exit code 1 above
15 MB.
"""

from __future__ import annotations

import argparse
import runpy
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmark import config  # noqa: E402
from benchmark.predictions import Predictions  # noqa: E402
from benchmark.report import run as run_page  # noqa: E402
from benchmark.report import sweep as report  # noqa: E402
from datasets.sources.shapes import draw  # noqa: E402
from datasets.spec import ShapesRule  # noqa: E402

CLASSES = tuple(f"class {number}" for number in range(10))
PICTURES, FILES, SEEDS = 1800, 150, (0, 1, 2)
MOST_MEGABYTES = 15
PAGES = 5
HEADS = ("linear", "dense", "wide", "dense_bn")


DRAWN: Any = runpy.run_path(str(ROOT / "tests" / "benchmark" / "report" / "conftest.py"))["DrawnSweep"]


class HardSweep(DRAWN):  # type: ignore[misc]
    """A sweep in which some pictures are hard for every candidate, so that its report has all its galleries."""

    def answers(self, split: str, skill: float, seed: int) -> Predictions:
        """The answers as drawn, but wrong on the hardest pictures and surely so on a few of them."""
        plain: Predictions = super().answers(split, skill, seed)
        hard = np.random.default_rng(0).random(len(plain.truth)) < 0.15
        wrong = np.eye(len(CLASSES), dtype=np.float32)[(plain.truth + 3) % len(CLASSES)] * 0.9 + 0.1 / len(CLASSES)
        probabilities = np.where(hard[:, None], wrong.astype(np.float32), plain.probabilities)
        return Predictions(plain.images, plain.groups, plain.truth, probabilities, plain.classes)


def sweep_of(root: Path, candidates: int) -> Any:
    """The folder of a sweep with so many candidates."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        [job] = config.to_jobs(config.without_machinery(compose("config", [])), [])
    sweep = HardSweep(root, job.spec, CLASSES, PICTURES)
    rule = ShapesRule(classes=8, per_class=FILES, imbalance=1, difficulty=1, size=224, seed=0)
    for number in range(FILES):
        draw(rule, "star", number).save(root / "pictures" / f"{number}.png")
    sweep.manifest.table["path"] = [f"{number % FILES}.png" for number in range(PICTURES)]
    sweep.manifest.to_csv(sweep.directory / "manifest.csv")
    for number, skill in enumerate(np.linspace(0.4, 0.95, candidates).round(4).tolist()):
        parts = {"head": HEADS[number % 4], "weighting": ("none", "balanced")[number // 4 % 2]}
        sweep.add(skill, SEEDS, **parts, backbone=f"backbone{number // 8}")
    return sweep


def main() -> int:
    """Make the reports and say what they take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, nargs="*", default=[40, 100])
    largest = 0.0
    for candidates in parser.parse_args().candidates:
        with tempfile.TemporaryDirectory() as folder:
            sweep = sweep_of(Path(folder), candidates)
            begun = time.process_time()
            found = report.write(sweep.directory, "board")
            seconds = time.process_time() - begun
            assert found.report is not None
            megabytes = found.report.stat().st_size / 1e6
            records = [record for record in sweep.records() if record.finished][:PAGES]
            begun = time.process_time()
            for record in records:
                run_page.write(sweep.directory, record, "svg")
            page = (time.process_time() - begun) / len(records)
        largest = max(largest, megabytes)
        sys.stdout.write(
            f"{candidates} candidates x {len(SEEDS)} seeds: report.html {megabytes:.1f} MB in {seconds:.1f} s; "
            f"a run's page and figures {page:.2f} s\n"
        )
        sys.stdout.flush()
    return 0 if largest <= MOST_MEGABYTES else 1


if __name__ == "__main__":
    sys.exit(main())
