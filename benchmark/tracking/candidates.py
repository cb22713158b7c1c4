"""A run for each candidate: its place on the board, so that MLflow shows means over seeds with their intervals."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from mlflow.entities import Metric, Param, Run

from benchmark.board.columns import KINDS
from benchmark.board.markdown import to_markdown
from benchmark.board.table import Leaderboard
from benchmark.spec import AXES
from benchmark.tracking import facts
from benchmark.tracking.ledger import Ledger

LONGEST_NOTE = 5000


class Row(NamedTuple):
    """What MLflow holds of one row of the board."""

    candidate: str
    status: str
    params: dict[str, str]
    metrics: dict[str, float]


def rows(board: Leaderboard) -> list[Row]:
    """The rows of the board as MLflow holds them: every number of theirs under its column's name."""
    return [_row({str(key): value for key, value in row.items()}) for row in board.table.to_dict("records")]


def write(ledger: Ledger, parent: str, board: Leaderboard) -> None:
    """Give every candidate a run of its own below the sweep's, and its seeds their place below that."""
    known, runs = ledger.candidates(), ledger.runs()
    by_candidate: dict[str, list[Run]] = {}
    for run in (run for same in runs.values() for run in same):
        by_candidate.setdefault(run.data.tags.get("candidate", ""), []).append(run)
    for row in rows(board):
        earlier = known.pop(row.candidate, [])
        mine = next((run for run in earlier if is_whole(run, row)), None)
        place = mine.info.run_id if mine else _create(ledger, parent, board.primary, row)
        for run in by_candidate.get(row.candidate, []):
            if run.data.tags.get(facts.PARENT) != place:
                ledger.client.set_tag(run.info.run_id, facts.PARENT, place)
        ledger.remove([run for run in earlier if run is not mine])
    ledger.remove([run for gone in known.values() for run in gone])
    note = "\n".join(to_markdown(board).splitlines())[:LONGEST_NOTE]
    ledger.client.set_tag(parent, facts.NOTE, note)


def is_whole(run: Run, row: Row) -> bool:
    """Whether MLflow's run says what the board's row says."""
    status = "FINISHED" if row.status == "ok" else "FAILED"
    return (
        run.info.status == status
        and run.data.tags.get("status") == row.status
        and run.data.params == row.params
        and run.data.metrics == row.metrics
    )


def _create(ledger: Ledger, parent: str, primary: str, row: Row) -> str:
    now = int(time.time() * 1000)
    name = " ".join(value for key, value in row.params.items() if key in AXES and value != "none")
    tags = {"kind": "candidate", "candidate": row.candidate, "status": row.status, "primary": primary}
    tags |= {"sweep": ledger.directory.name, "sweep_id": ledger.sweep_id, facts.PARENT: parent}
    tags |= {axis: value for axis, value in row.params.items() if axis in AXES}
    tags[facts.NOTE] = _note(primary, row)
    run = str(ledger.client.create_run(ledger.experiment, tags=tags, run_name=f"{name} (all seeds)").info.run_id)
    params = [Param(key, value) for key, value in row.params.items()]
    metrics = [Metric(key, value, now, 0) for key, value in row.metrics.items()]
    ledger.client.log_batch(run, metrics=metrics, params=params)
    ledger.client.set_terminated(run, "FINISHED" if row.status == "ok" else "FAILED")
    return run


def _row(cells: Mapping[str, Any]) -> Row:
    texts = {key: str(cells[key]) for key in (*AXES, "image_size", "weights") if not pd.isna(cells[key])}
    numbers = {
        key: float(cells[key])
        for key, kind in KINDS.items()
        if kind != "text" and key not in ("schema_version", "image_size") and not pd.isna(cells[key])
    }
    finite = {key: value for key, value in numbers.items() if math.isfinite(value)}
    return Row(str(cells["candidate"]), str(cells["status"]), texts, finite)


def _note(primary: str, row: Row) -> str:
    """The candidate's result in a sentence."""
    score = row.metrics.get(f"test_{primary}")
    if score is None or "rank" not in row.metrics:
        return f"`{row.candidate}`, {row.status}: not on the board's ranking."
    low, high = (row.metrics.get(f"test_{primary}_{end}", score) for end in ("low", "high"))
    ranks = f"{row.metrics['rank_low']:.0f} to {row.metrics['rank_high']:.0f}"
    seeds = f"{row.metrics['n_seeds']:.0f}"
    interval = f"95 % interval {low:.4f} to {high:.4f}"
    return f"`{row.candidate}`: {primary} {score:.4f}, {interval}, ranks {ranks}, seeds {seeds}."
