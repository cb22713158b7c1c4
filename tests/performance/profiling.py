"""Where the time of the first row goes: our sweep once more, looked at from outside while it runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figures import keep, show
from measure_frozen import cold_sweep, words_of
from measuring import Setting, costs, fresh, program

KEY = ["work", "data", "weights", "process", "part"]
WORKER = {
    "opening the kept pictures": "seconds_pixels",
    "building the network, extraction": "seconds_features",
    "training all heads": "seconds_train",
    "predicting": "seconds_predict",
}
"""Parts of a run in the worker by the columns of its cost."""


def profile(setting: Setting, path: Path) -> None:
    """Print the profile and put it into the table."""
    sweep, results = cold_sweep(setting), fresh(setting.scratch / "profile")
    parent = program("our_profile.py", json.dumps([*words_of(setting, sweep), f"paths.results={results}"]))
    wall = sum(parent.values())
    found = costs(results)
    worker = {part: found[column].sum() for part, column in WORKER.items()}
    worker["latency of the network, scores, files"] = found["seconds_total"].sum() - sum(worker.values())
    rows = [*_rows("planning", parent, wall), *_rows("worker, at the same time", worker, wall)]
    data, weights = setting.names
    print(f"\nWhere the {wall:.1f} s of `{sweep.name}` go")
    show([*KEY[3:], "seconds", "share"], [[str(value) for value in row.values()] for row in rows])
    keep([{"work": sweep.name, "data": data, "weights": weights, **row} for row in rows], KEY, path)


def _rows(process: str, parts: dict[str, float], wall: float) -> Iterator[dict[str, Any]]:
    """The parts of a process, the longest first; the shares are of the whole sweep's wall clock."""
    for part, seconds in sorted(parts.items(), key=lambda item: -item[1]):
        yield {"process": process, "part": part, "seconds": round(seconds, 2), "share": round(seconds / wall, 3)}
