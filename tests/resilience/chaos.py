"""A sweep killed at random moments and started again: python tests/resilience/chaos.py [KILLS] [SEEDS]

The sweep or one of its workers is killed (SIGKILL) again and again; the same command is given after each death of the
sweep. At the end the board and every prediction must hold the bytes of an undisturbed sweep, no finished run may have
been done a second time, and MLflow must hold every run once, with its true status. Ends with 1 where that fails.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil
from mlflow import MlflowClient

ROOT = Path(__file__).resolve().parents[2]
LONGEST_WAIT = 1.4
"""Between two kills at most; the unit is the time from a start to the first result. Most kills hit before it."""


class Ended(NamedTuple):
    """What a sweep that was killed again and again left."""

    kills: int
    starts: int
    done_twice: list[str]
    """Runs whose finished record changed."""
    differing: list[str]
    """Files that do not hold the bytes of the undisturbed sweep."""
    mistracked: list[str]
    """A sentence for each run that MLflow does not hold exactly once, with the status that its record has."""


class Runs(NamedTuple):
    """The sweep that is killed: for each backbone and seed two whole networks and a stack of two heads."""

    seeds: int
    backbones: str = "shallownet,lenet"


def words(results: Path, runs: Runs) -> list[str]:
    """The command."""
    return [
        sys.executable, "-m", "benchmark", "-m", "dataset=digits", f"backbone={runs.backbones}",
        "finetune=full,frozen", "head=linear,dense", f"seed=range({runs.seeds})", "training.epochs=2",
        "sweep.name=chaos", "report.level=none", "machine.measure_latency=false", f"paths.results={results}",
    ]  # fmt: skip


def undisturbed(results: Path, runs: Runs) -> float:
    """Do the sweep as it should be; the seconds until its first result."""
    began, first = time.monotonic(), 0.0
    sweep = subprocess.Popen(words(results, runs), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd=ROOT)
    while sweep.poll() is None:
        time.sleep(0.1)
        if not first and _results(results):
            first = time.monotonic() - began
    if sweep.returncode != 0:
        raise RuntimeError(f"the undisturbed sweep ended with {sweep.returncode}")
    return first


def disturbed(
    results: Path, runs: Runs, kills: int, longest: float, chance: random.Random
) -> tuple[int, int, list[str]]:
    """Kill up to so often, `longest` seconds apart at most, until the sweep ends; kills, starts, runs done twice.

    However fast the machine, no start gets past its first result unharmed while kills are left.
    """
    starts, done, finished, twice = 0, 0, dict[str, str](), set[str]()
    while True:
        starts += 1
        sweep = psutil.Popen(words(results, runs), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        before = _results(results)
        while sweep.poll() is None:
            until = time.monotonic() + chance.uniform(0.2, longest)
            while done < kills and time.monotonic() < until and sweep.poll() is None and _results(results) == before:
                time.sleep(0.02)
            before = _results(results)
            if sweep.poll() is None and done < kills:
                done += _kill(sweep, chance)
            elif sweep.poll() is None:
                sweep.wait(timeout=600)
            now = _finished(results)
            twice |= {run for run, content in finished.items() if now.get(run) != content}
            finished |= now
        # A killed worker leaves a run that failed: exit code 3, and the same command does it again.
        if sweep.returncode == 0:
            return done, starts, sorted(twice)
        if starts > 3 * kills + 10:
            raise RuntimeError(f"the sweep does not end: exit code {sweep.returncode} after {starts} starts")


def compare(calm: Path, wild: Path) -> list[str]:
    """Board and predictions that differ."""
    names = [
        "leaderboard.csv",
        *(f"runs/{path.parent.name}/{path.name}" for path in calm.glob("chaos/runs/*/*.parquet")),
    ]
    return [name for name in names if _bytes(calm / "chaos" / name) != _bytes(wild / "chaos" / name)]


def mistracked(results: Path) -> list[str]:
    """How MLflow's runs and those of the records differ."""
    client = MlflowClient(f"sqlite:///{results}/mlflow.db")
    experiments = [one.experiment_id for one in client.search_experiments()]
    found = client.search_runs(experiments, max_results=5000)
    runs = [run for run in found if run.data.tags.get("kind") in ("run", "baseline")]
    tracked = Counter((run.data.tags["run_id"], run.info.status) for run in runs)
    expected = Counter((run_id, "FINISHED") for run_id in _finished(results))
    missing, unasked = expected - tracked, tracked - expected
    return [f"{run_id} is not {status} in MLflow" for run_id, status in missing.elements()] + [
        f"{run_id} is {status} in MLflow once too often" for run_id, status in unasked.elements()
    ]


def chaos(scratch: Path, kills: int, runs: Runs, seed: int = 0) -> Ended:
    """The whole trial."""
    calm, wild = scratch / "calm", scratch / "wild"
    longest = LONGEST_WAIT * undisturbed(calm, runs)
    done, starts, twice = disturbed(wild, runs, kills, longest, random.Random(seed))
    return Ended(done, starts, twice, compare(calm, wild), mistracked(wild))


def _kill(sweep: psutil.Popen, chance: random.Random) -> bool:
    """End the sweep or, half of the time, one of its workers; whether there was anything to end."""
    try:
        victims = [sweep, *(child for child in sweep.children() if chance.random() < 0.5)]
        os.kill(victims[-1].pid, signal.SIGKILL)
        if victims[-1] is sweep:
            sweep.wait(timeout=30)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return True


def _results(results: Path) -> int:
    """How many trained runs have written their history."""
    return len(list(results.glob("chaos/runs/[!b]*/history.csv")))


def _finished(results: Path) -> dict[str, str]:
    """The content of the records of finished runs, by run id."""
    found = {}
    for path in results.glob("chaos/runs/*/record.json"):
        content = path.read_bytes()
        if json.loads(content)["status"] == "ok":
            found[path.parent.name] = hashlib.sha256(content).hexdigest()
    return found


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def main() -> None:
    """Run the trial and say how it went."""
    kills, seeds = (int(word) for word in (*sys.argv[1:], *("25", "5")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as scratch:
        ended = chaos(Path(scratch), kills, Runs(seeds))
    print(f"{ended.kills} of {kills} kills, {ended.starts} starts; done twice: {ended.done_twice or 'none'}")  # noqa: T201
    print(f"files that differ: {ended.differing or 'none'}; MLflow: {ended.mistracked or 'as the records'}")  # noqa: T201
    good = ended.kills == kills and not (ended.done_twice or ended.differing or ended.mistracked)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
