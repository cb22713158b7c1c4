"""What a board costs: python tests/performance/board_time.py [--runs-on-disk 10000]

Three parts, each in one process: the board of 8, 40 and 100 candidates on 1000 images with 3 seeds, from predictions in
memory; that of 33 candidates on 360 images with 3 seeds, which a sweep rewrites while it runs; and a board read from a
results folder of 100 candidates on 300 images with as many seeds as make the number of runs. `again` is the same board
once more in the same process, as when a sweep rewrites it after another run. Seconds of wall clock, and of CPU, which
other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir

from benchmark import config, store
from benchmark.board import leaderboard
from benchmark.environment import describe
from benchmark.metrics import score_all
from benchmark.predictions import Predictions
from benchmark.records import Cost, Parameters, RunRecord
from benchmark.spec import RunSpec

CONF = Path(__file__).resolve().parents[2] / "conf"
CLASSES = tuple(f"class {label}" for label in range(10))
FINGERPRINT = "f" * 64
PRIMARY = "balanced_accuracy"
COST = Cost(
    epochs=3, best_epoch=2, seconds_pixels=0.5, seconds_features=0, seconds_train=10, seconds_predict=0.2,
    seconds_input=0.3, seconds_total=11, path="whole", stacked=1, batch_size_effective=64, peak_memory_mb=700,
)  # fmt: skip


def base_spec() -> RunSpec:
    """The specification that conf/ composes without any choice."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return config.to_jobs(config.without_machinery(compose("config")), [])[0].spec


def answered(images: int, skill: float, seed: int) -> Predictions:
    """Answers of one run; the difficulty of images is shared by all runs."""
    identities = np.array([f"{index:064x}" for index in range(images)])
    truth = np.arange(images) % len(CLASSES)
    difficulty = np.random.default_rng(0).random(images)
    generator = np.random.default_rng([seed, round(skill * 1e6)])
    right = difficulty + generator.normal(0, 0.1, images) < skill
    guess = np.where(right, truth, (truth + generator.integers(1, len(CLASSES), images)) % len(CLASSES))
    probabilities = generator.dirichlet(np.full(len(CLASSES), 0.5), images) * 0.4
    probabilities[np.arange(images), guess] += 0.6
    return Predictions(identities, identities, truth, probabilities.astype(np.float32), CLASSES)


def finished(spec: RunSpec, predictions: Predictions) -> RunRecord:
    """The record of a run that ended well."""
    scores = score_all(predictions)
    return RunRecord(
        run_id=spec.run_id(FINGERPRINT), candidate=spec.candidate(FINGERPRINT), sweep="drawn", spec=spec,
        fingerprint=FINGERPRINT, classes=CLASSES, status="ok", primary=PRIMARY, test=scores, val=scores,
        parameters=Parameters(total=1000, trainable=900, features=64, flops=5_000_000), cost=COST,
        environment=dict(describe()), command="python -m benchmark", started="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


class Drawn:
    """A sweep of candidates that differ in their dropout: records, and predictions by run id."""

    def __init__(self, candidates: int, images: int, seeds: int) -> None:
        self.records: list[RunRecord] = []
        self.stored: dict[str, Predictions] = {}
        base = base_spec()
        for index, skill in enumerate(np.linspace(0.5, 0.8, candidates)):
            head = base.head.model_copy(update={"dropout": index / 1000})
            for seed in range(seeds):
                predictions = answered(images, float(skill), seed)
                record = finished(base.model_copy(update={"head": head, "seed": seed}), predictions)
                self.records.append(record)
                self.stored[record.run_id] = predictions

    def build(self) -> str:
        """The board's CSV."""
        board = leaderboard.build(self.records, lambda record: self.stored[record.run_id], PRIMARY)
        return leaderboard.to_csv(board)

    def write(self, directory: Path) -> None:
        """Put everything where a sweep would."""
        store.make_sweep_directory(directory)
        for record in self.records:
            store.write_predictions(directory, record.run_id, "test", self.stored[record.run_id])
            store.write_record(directory, record)


class _Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def spent(self) -> str:
        """Of wall clock, and of CPU."""
        return f"{time.perf_counter() - self.wall:7.2f} s ({time.process_time() - self.processor:6.2f} CPU)"


def read(directory: Path) -> str:
    """The CSV of a board read from its folder, with the time of each part on stdout."""
    begin = _Clock()
    records = store.load_records(directory)
    read_records = begin.spent()
    begin = _Clock()
    board = leaderboard.build(records, lambda record: store.load_predictions(directory, record.run_id), PRIMARY)
    text = leaderboard.to_csv(board)
    sys.stdout.write(f"  records {read_records}, predictions and board {begin.spent()}\n")
    return text


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs-on-disk", type=int, default=10_000, help="runs of the folder; 0 leaves it out")
    parser.add_argument("--profile", action="store_true", help="say where the time goes for 33 candidates")
    arguments = parser.parse_args()
    sys.stdout.write("candidates  images  seeds               seconds                 again\n")
    for candidates, images, seeds in ((33, 360, 3), (8, 1000, 3), (40, 1000, 3), (100, 1000, 3)):
        drawn = Drawn(candidates, images, seeds)
        spent = []
        for _ in range(2):
            clock = _Clock()
            drawn.build()
            spent.append(clock.spent())
        sys.stdout.write(f"{candidates:10d} {images:7d} {seeds:6d} {' '.join(spent)}\n")
        sys.stdout.flush()
        if arguments.profile:
            with cProfile.Profile() as profile:
                drawn.build()
            pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(18)
    if arguments.runs_on_disk:
        with tempfile.TemporaryDirectory() as folder:
            drawn = Drawn(100, 300, arguments.runs_on_disk // 100)
            drawn.write(Path(folder))
            sys.stdout.write(f"{len(drawn.records)} runs from disk\n")
            assert read(Path(folder)) == drawn.build()


if __name__ == "__main__":
    main()
