"""A Ray cluster of two machines, one of which is lost in the middle of a sweep: python tests/resilience/lost_machine.py

Both machines are processes of this one. The sweep must end well, with the board and predictions of a sweep without a
cluster. Ends with 1 where that fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from ray.cluster_utils import Cluster

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_WORK = 120.0
"""Until both machines must be at work."""


class Ended(NamedTuple):
    """How the sweep in the cluster went."""

    code: int
    said: str
    differing: list[str]
    """Files that do not hold the bytes of the sweep without a cluster."""


def words(results: Path, seeds: int) -> list[str]:
    """Runs of some seconds."""
    return [
        sys.executable, "-m", "benchmark", "-m", "dataset=digits", "backbone=shallownet", f"seed=range({seeds})",
        "training.epochs=10", "training.patience=null", "machine.threads=1", "sweep.name=s", "report.level=none",
        "machine.measure_latency=false", "tracking=none", f"paths.results={results}",
    ]  # fmt: skip


def lost_machine(scratch: Path, seeds: int) -> Ended:
    """The whole trial."""
    calm, wild = scratch / "calm", scratch / "wild"
    subprocess.run(words(calm, seeds), check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        doomed = cluster.add_node(num_cpus=1)
        there = ["hydra/launcher=ray", f"launcher.ray.address={cluster.address}"]
        with (scratch / "said.txt").open("wb") as said:
            sweep = subprocess.Popen([*words(wild, seeds), *there], stdout=said, stderr=said, cwd=ROOT)
            deadline = time.monotonic() + SECONDS_TO_WORK
            while _running(wild) < 2 and sweep.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            cluster.remove_node(doomed, allow_graceful=False)
            code = sweep.wait(timeout=500)
    finally:
        cluster.shutdown()
    return Ended(code, (scratch / "said.txt").read_text("utf-8"), compare(calm / "s", wild / "s"))


def compare(calm: Path, wild: Path) -> list[str]:
    """Board and predictions that differ."""
    names = ["leaderboard.csv", *(str(path.relative_to(calm)) for path in calm.glob("runs/*/*.parquet"))]
    return [name for name in names if not (wild / name).is_file() or (wild / name).read_bytes() != _bytes(calm / name)]


def _running(results: Path) -> int:
    """How many runs are under way; two are one on each machine."""
    return sum('"status": "running"' in path.read_text("utf-8") for path in results.glob("s/runs/*/record.json"))


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def main() -> None:
    """Run the trial and say how it went."""
    with tempfile.TemporaryDirectory() as scratch:
        ended = lost_machine(Path(scratch), 12)
    print(ended.said)  # noqa: T201
    print(f"exit code {ended.code}; files that differ: {ended.differing or 'none'}")  # noqa: T201
    sys.exit(0 if ended.code == 0 and not ended.differing and "on another machine" in ended.said else 1)


if __name__ == "__main__":
    main()
