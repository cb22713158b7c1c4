"""Many processes log to one fresh store: python tests/resilience/tracking_storm.py [STORE [PROCESSES [RUNS]]]

STORE is `sqlite` (the default), `postgresql` (Debian's package and psycopg2), `server` (`mlflow server` on SQLite) or
`server-postgresql`. Every process is a sweep of its own; each of its runs has three epochs. At the end each run must
be there once and whole; ends with 1 where one is lost, or where a process met a store that did not answer.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

import servers

from benchmark import publish, store, tracking
from benchmark.metrics import score_all
from benchmark.predictions import Predictions
from benchmark.records import Baseline, RunRecord
from datasets.manifest import COLUMNS, REJECTED_COLUMNS, Manifest

EPOCHS = 3
CLASSES = ("a", "b")


class Storm(NamedTuple):
    """What a storm left behind."""

    seconds: float
    median: float
    """Seconds that one run took to be logged, while all processes logged."""
    lost: list[str]
    """A sentence for each run that is not there once and whole, and for each process that did not end well."""


def storm(uri: str, results: Path, processes: int, runs: int) -> Storm:
    """Let so many processes log so many runs each, then compare what is there with what should be."""
    began = time.monotonic()
    command = [sys.executable, str(Path(__file__).resolve()), "--one", uri, str(results), str(runs)]
    started = [
        subprocess.Popen([*command, f"storm{number}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for number in range(processes)
    ]
    lost, took = [], []
    for number, process in enumerate(started):
        said, warned = process.communicate()
        if process.returncode != 0 or "warning" in warned:
            lost.append(f"process {number} ended with {process.returncode}: {warned.strip()[-300:]}")
        else:
            took += json.loads(said)
    seconds = time.monotonic() - began
    for directory in sorted(results.glob("storm*")):
        lost += tracking.compare(uri, directory, publish.draw(directory).board)
    return Storm(seconds, statistics.median(took) if took else 0.0, lost)


def log(uri: str, results: Path, runs: int, sweep: str) -> None:
    """One process: print the seconds that each run took to be logged."""
    manifest = _manifest()
    store.make_sweep_directory(results / sweep)
    tracker = tracking.SweepTracker(uri, results, "storm", sweep)
    took = []
    for number in range(runs):
        record = _record(sweep, number)
        began = time.perf_counter()
        tracker.start(record, manifest)
        for epoch in range(1, EPOCHS + 1):
            tracker.epoch(record.run_id, {"epoch": epoch, "val_loss": 1 / epoch, "train_loss": 1 / epoch})
        spent = time.perf_counter() - began
        predictions = _predictions(number)
        scores = score_all(predictions)
        ended = record.model_copy(update={"status": "ok", "test": scores, "val": scores})
        store.write_predictions(results / sweep, record.run_id, "test", predictions)
        history = pd.DataFrame({"epoch": range(1, EPOCHS + 1)}).assign(val_loss=lambda table: 1 / table["epoch"])
        store.write_history(results / sweep, record.run_id, history.assign(train_loss=history["val_loss"]))
        store.write_record(results / sweep, ended)
        began = time.perf_counter()
        tracker.finish(ended, store.run_directory(results / sweep, record.run_id))
        took.append(spent + time.perf_counter() - began)
    tracker.board(publish.draw(results / sweep).board)
    tracker.close("FINISHED")
    sys.stdout.write(json.dumps(took))


def _record(sweep: str, number: int) -> RunRecord:
    spec = Baseline(baseline="majority", dataset="storm", image_size=0, fold=None)
    return RunRecord(
        run_id=f"{sweep}-{number}", candidate=f"{sweep}-{number}", sweep=sweep, spec=spec, fingerprint="f" * 64,
        classes=CLASSES, status="running", primary="accuracy", command="python -m benchmark",
    )  # fmt: skip


def _predictions(number: int) -> Predictions:
    truth = np.arange(40) % 2
    guess = np.where((np.arange(40) + number) % 4 > 0, truth, 1 - truth)
    probabilities = np.where(np.eye(2)[guess] > 0, 0.9, 0.1).astype(np.float32)
    images = np.array([f"{index:064x}" for index in range(40)])
    return Predictions(images, images, truth, probabilities, CLASSES)


def _manifest() -> Manifest:
    row = dict.fromkeys(COLUMNS, 1) | dict.fromkeys(("path", "label", "pixels_sha256", "group"), "a")
    table = pd.DataFrame([row | {"split": "test"}], columns=list(COLUMNS))
    return Manifest(table, pd.DataFrame(columns=list(REJECTED_COLUMNS)), CLASSES, Path("/pictures"), ())


@contextlib.contextmanager
def address(kind: str, results: Path) -> Iterator[str]:
    """The address of a store of this kind, which nobody has used yet."""
    with contextlib.ExitStack() as open_servers:
        uri = tracking.default_uri(results)
        if kind.endswith("postgresql"):
            programs = servers.postgres_programs()
            if programs is None:
                raise SystemExit("found no PostgreSQL; expected Debian's package: apt-get install postgresql")
            uri = open_servers.enter_context(servers.postgres(programs))
        if kind.startswith("server"):
            own = uri if kind.endswith("postgresql") else None
            uri = open_servers.enter_context(servers.mlflow_server(results, own)).uri
        yield uri


def main(words: list[str]) -> int:
    """Run the storm and say what came of it."""
    if words[:1] == ["--one"]:
        log(words[1], Path(words[2]), int(words[3]), words[4])
        return 0
    kind, processes, runs = [*words, *["sqlite", "8", "200"][len(words) :]][:3]
    with tempfile.TemporaryDirectory(prefix="bench-storm-") as folder, address(kind, Path(folder)) as uri:
        found = storm(uri, Path(folder), int(processes), int(runs))
    total = int(processes) * int(runs)
    lines = [
        f"{kind}: {processes} processes x {runs} runs in {found.seconds:.0f} s, {total / found.seconds:.1f} a second",
        f"a run took {found.median * 1000:.0f} ms to log (median); {len(found.lost)} of {total} runs lost or not whole",
        *(f"- {sentence}" for sentence in found.lost[:20]),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found.lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
