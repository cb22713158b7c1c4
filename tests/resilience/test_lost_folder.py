"""A results folder that goes away in the middle of a sweep, as that of a network drive does."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmark import store


def test_a_folder_that_goes_away_loses_nothing_and_is_finished_when_it_is_back(run_sweep: Any, tmp_path: Path) -> None:
    results, hidden = tmp_path / "drive" / "results", tmp_path / "hidden"
    words = [
        "dataset.max_per_class=15", "backbone=shallownet", "seed=range(4)", "training.epochs=6",
        "training.patience=null", "dataset.image_size=16", "tracking=none", "report.level=none",
        "machine.measure_latency=false", "sweep.name=s", f"paths.results={results}",
        f"paths.cache={tmp_path / 'cache'}",
    ]  # fmt: skip
    command = [sys.executable, "-m", "benchmark", "-m", *words]
    sweep = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    records = "s/runs/shallownet*/record.json"
    while not any('"status": "ok"' in one.read_text("utf-8") for one in results.glob(records)) and sweep.poll() is None:
        time.sleep(0.02)
    (tmp_path / "drive").rename(hidden)
    said = "".join(sweep.communicate(timeout=120))
    assert sweep.returncode == 3, said
    assert "went away" in said
    assert "Traceback" not in said
    if (tmp_path / "drive").exists():  # a lock that was taken before it was noticed, and no results
        assert not list((tmp_path / "drive").rglob("runs"))
        assert not list((tmp_path / "drive").rglob("leaderboard.csv"))
        (tmp_path / "drive").rename(tmp_path / "leftover")
    hidden.rename(tmp_path / "drive")
    ended = run_sweep(*words)
    assert ended.code == 0, ended.output + ended.errors
    assert " finished, " in ended.output
    assert {record.status for record in store.load_records(results / "s")} <= {"ok"}
