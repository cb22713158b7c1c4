"""An MLflow server that is gone in the middle of a sweep: python tests/resilience/lost_server.py [SECONDS [SEEDS]]

A sweep logs over HTTP to `mlflow server`; the server is killed once the first run and the baselines, which wait for
MLflow, have their result, and started again after so many seconds (30 if not said), once a run has ended without it.
The sweep must end well, and MLflow must hold each of its runs once and whole; where the sweep ends before the server is
back, it must name the command that sends the rest, and that must do it.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import servers

from benchmark import cli, publish, store, tracking

ROOT = Path(__file__).resolve().parents[2]
BASELINES = 2
"""Rows that every data set gets."""


class Outage(NamedTuple):
    """A sweep whose server was gone for a while."""

    code: int
    """The sweep's exit code."""
    said: str
    """What it printed."""
    finished_without: int
    """Runs that ended while there was no server."""
    pushed: bool
    """Whether the sweep ended before the server was back, so that the command it named was given."""
    differences: list[str]
    """Between the records and what MLflow holds when the sweep is over."""


def outage(folder: Path, seconds: float, seeds: int) -> Outage:
    """Kill the server after the first result, start it again so much later and after another, compare at the end."""
    results = folder / "results"
    with servers.mlflow_server(folder) as server:
        words = [
            sys.executable, "-m", "benchmark", "-m", "dataset=digits", "backbone=shallownet", f"seed=range({seeds})",
            "training.epochs=3", "sweep.name=outage", "report.level=none", "launcher.stack=false",
            "machine.measure_latency=false", f"paths.results={results}", f"tracking.uri={server.uri}",
        ]  # fmt: skip
        with (folder / "said.txt").open("wb") as said:
            sweep = subprocess.Popen(words, stdout=said, stderr=said, cwd=ROOT, env=os.environ)
        _wait(results / "outage", 1, sweep)
        _wait(results / "outage", BASELINES, sweep, "baseline")
        server.stop()
        before = _finished(results / "outage")
        time.sleep(seconds)
        _wait(results / "outage", before + 1, sweep)
        without = _finished(results / "outage") - before
        server.start()
        code = sweep.wait()
        told = (folder / "said.txt").read_text("utf-8")
        pushed = "bench mlflow push" in told
        if pushed:
            command = told.partition("`bench ")[2].partition("`")[0]
            with contextlib.redirect_stdout(io.StringIO()) as push:
                if cli.run(shlex.split(command)) != 0:
                    raise RuntimeError(f"`bench {command}` failed: {push.getvalue()}")
        differences = tracking.compare(server.uri, results / "outage", publish.draw(results / "outage").board)
    return Outage(code, told, without, pushed, differences)


def _wait(directory: Path, runs: int, sweep: subprocess.Popen[bytes], kind: str = "shallownet") -> None:
    """Return when so many runs of a kind have their result."""
    while _finished(directory, kind) < runs:
        if sweep.poll() is not None:
            return
        time.sleep(0.2)


def _finished(directory: Path, kind: str = "shallownet") -> int:
    """Runs of a kind with a result."""
    if not directory.is_dir():
        return 0
    records = store.survey(directory).records
    return sum(record.finished and record.run_id.startswith(kind) for record in records)


def main(words: list[str]) -> int:
    """Run it and say what came of it."""
    seconds, seeds = [*words, *["30", "12"][len(words) :]][:2]
    with tempfile.TemporaryDirectory(prefix="bench-outage-") as folder:
        found = outage(Path(folder), float(seconds), int(seeds))
    lines = [
        f"the server was gone for {seconds} s, in which {found.finished_without} of {seeds} runs ended",
        f"the sweep ended with {found.code}" + (", then the rest was pushed" if found.pushed else ""),
        f"{len(found.differences)} differences between records and MLflow",
        *(f"- {difference}" for difference in found.differences[:20]),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found.differences or found.code or not found.finished_without else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
