"""A run for each candidate: its place on the board, so that MLflow shows means over seeds with their intervals."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from mlflow.entities import Metric, Param, Run, RunTag

from benchmark.board.columns import KINDS
from benchmark.board.markdown import escaped, to_markdown
from benchmark.board.table import Leaderboard
from benchmark.report.labels import candidate_labels, in_labels
from benchmark.spec import AXES
from benchmark.tracking import facts, views
from benchmark.tracking.ledger import Ledger

LONGEST_NOTE = 5000
_METRICS = {
    "total_parameters": "parameters/total",
    "trainable_parameters": "parameters/trainable",
    "flops": "parameters/flops",
}
"""Columns of the board that a run has too, under the run's names of metrics."""
_PARAMS = {"image_size": "dataset.image_size", "weights": "backbone.weights"}
"""The same for parameters."""
_CHOICES = (*AXES, "image_size", "weights")
_COUNTS = ("n_seeds", "n_planned", "n_folds", "n_failed")


class Row(NamedTuple):
    """What MLflow holds of one row of the board."""

    candidate: str
    label: str
    """What tells it from the others, for people."""
    status: str
    params: dict[str, str]
    """What varies between the candidates, under the names that their runs have for it."""
    metrics: dict[str, float]
    tags: dict[str, str]
    """All axes, varying or not, and how many runs stand behind the numbers."""


class Place(NamedTuple):
    """Where a candidate's run is hung up."""

    parent: Run
    """The sweep's."""
    position: int
    """On the board, from 0."""
    seeds: Sequence[Run]
    note: str


def rows(board: Leaderboard) -> list[Row]:
    """The rows of the board as MLflow holds them: every number of theirs, by sections."""
    labels, varying = candidate_labels(board.table), _varying(board.table)
    cells = [{str(key): value for key, value in row.items()} for row in board.table.to_dict("records")]
    return [_row(row, labels[row["candidate"]], board.primary, varying) for row in cells]


def write(ledger: Ledger, parent: str, board: Leaderboard) -> None:
    """Give every candidate a run of its own below the sweep's, and its seeds their place below that."""
    known, runs = ledger.candidates(), ledger.runs()
    sweep, reasons = ledger.client.get_run(parent), _reasons(board)
    by_candidate: dict[str, list[Run]] = {}
    for run in (run for same in runs.values() for run in same):
        by_candidate.setdefault(run.data.tags.get("candidate", ""), []).append(run)
    for position, row in enumerate(rows(board)):
        seeds, earlier = by_candidate.get(row.candidate, []), known.pop(row.candidate, [])
        mine = next((run for run in earlier if not differences(run, row)), None)
        note = _note(board.primary, row, reasons.get(row.candidate, ""))
        own = mine.info.run_id if mine else _create(ledger, row, board.primary, Place(sweep, position, seeds, note))
        if mine and mine.info.run_name != row.label:
            ledger.client.set_tag(own, facts.NAME, row.label)
        _hang_up(ledger, own, row, seeds)
        ledger.remove([run for run in earlier if run is not mine])
    ledger.remove([run for gone in known.values() for run in gone])
    _describe(ledger, sweep, board, [run for same in runs.values() for run in same])


def differences(run: Run, row: Row) -> list[str]:
    """What MLflow's run says otherwise than the board's row; numbers may differ behind the twelfth digit."""
    found = [] if run.info.status == _ending(row) else [f"status {run.info.status}, not {_ending(row)}"]
    texts = {**run.data.tags, **run.data.params}
    wanted = {**row.tags, **row.params, "status": row.status}
    found += [f"{key} {texts.get(key)!r}, not {value!r}" for key, value in wanted.items() if texts.get(key) != value]
    found += [f"{key}, which the board has not" for key in sorted(run.data.params.keys() - row.params.keys())]
    there, here = run.data.metrics, row.metrics
    for key in sorted(there.keys() | here.keys()):
        # Sums over threads and other releases of libraries do not always end in the same bits.
        if not math.isclose(there.get(key, math.nan), here.get(key, math.nan), rel_tol=1e-12, abs_tol=1e-15):
            found.append(f"{key} {there.get(key)}, not {here.get(key)}")
    return found


def _ending(row: Row) -> str:
    """MLflow's word for how a candidate came out."""
    return "FINISHED" if row.status in ("ok", "baseline") else "FAILED"


def _create(ledger: Ledger, row: Row, primary: str, place: Place) -> str:
    """The MLflow id of a candidate's new run; it lasts as long as its seeds together.

    MLflow shows the runs that began last on top, so the best candidate is the one that began last.
    """
    began = place.parent.info.start_time - place.position
    lasted = sum(run.info.end_time - run.info.start_time for run in place.seeds if run.info.end_time)
    tags = {"kind": "candidate", "candidate": row.candidate, "status": row.status, "primary": primary}
    tags |= {**ledger.own_tags(), facts.PARENT: place.parent.info.run_id}
    tags |= {**row.tags, facts.NOTE: place.note, **facts.SOURCE}
    created = ledger.client.create_run(ledger.experiment, start_time=began, tags=tags, run_name=row.label)
    run = str(created.info.run_id)
    params = [Param(key, value) for key, value in row.params.items()]
    metrics = [Metric(key, value, began + lasted, 0) for key, value in row.metrics.items()]
    ledger.client.log_batch(run, metrics=metrics, params=params)
    _log_data_sets(ledger, run, place.seeds)
    ledger.client.set_terminated(run, _ending(row), end_time=began + lasted)
    return run


def _hang_up(ledger: Ledger, own: str, row: Row, seeds: Sequence[Run]) -> None:
    """Put the runs of the seeds below their candidate's, under its name."""
    for run in seeds:
        wanted = {facts.PARENT: own}
        if row.status != "baseline":
            wanted[facts.NAME] = facts.seed_name(
                run.data.tags.get("seed", ""), run.data.params.get("dataset.fold"), row.label
            )
        changed = [RunTag(key, value) for key, value in wanted.items() if run.data.tags.get(key) != value]
        if changed:
            ledger.client.log_batch(run.info.run_id, tags=changed)


def _describe(ledger: Ledger, sweep: Run, board: Leaderboard, runs: Sequence[Run]) -> None:
    """Let the sweep's own run say how the sweep came out."""
    ended = Counter(run.info.status for run in runs)
    numbers: dict[str, float] = {"candidates/all": len(board.table), "candidates/ranked": len(board.ranked)}
    numbers |= {"candidates/tied_with_best": int(board.ranked["tied_with_best"].sum())}
    numbers |= {"runs/finished": ended["FINISHED"], "runs/without_result": len(runs) - ended["FINISHED"]}
    if len(board.ranked):
        top, score = board.ranked.iloc[0], f"test_{board.primary}"
        numbers |= {f"best/{board.primary}{end}": float(top[score + end]) for end in ("", "_low", "_high")}
    now, own = int(time.time() * 1000), sweep.info.run_id
    metrics = [Metric(key, float(value), now, 0) for key, value in numbers.items() if math.isfinite(value)]
    tags = [RunTag(facts.NOTE, _board_note(board)), RunTag("primary", board.primary)]
    ledger.client.log_batch(own, metrics=metrics, tags=tags)
    varying = [_PARAMS.get(key, key) for key in _varying(board.table)]
    view = views.of_candidates(ledger.directory.name, board.primary, varying)
    ledger.client.set_experiment_tag(ledger.experiment, views.TAG, view)
    _log_data_sets(ledger, own, runs)


def _log_data_sets(ledger: Ledger, own: str, runs: Sequence[Run]) -> None:
    """Let a run name the data sets of the runs below it."""
    used = {one.dataset.digest: one for run in runs if run.inputs for one in run.inputs.dataset_inputs}
    if used:
        ledger.client.log_inputs(own, list(used.values()))


def _varying(table: pd.DataFrame) -> list[str]:
    """The columns in which trained candidates differ; the backbone's where there are none."""
    trained = table[table["status"] != "baseline"]
    return [key for key in _CHOICES if trained[key].nunique(dropna=False) > 1] or ["backbone"]


def _row(cells: Mapping[str, Any], label: str, primary: str, varying: Sequence[str]) -> Row:
    texts = {key: str(cells[key]) for key in (*_CHOICES, *_COUNTS) if not _is_missing(cells[key])}
    numbers = {
        _METRICS.get(key) or facts.sectioned(key, "place"): float(cells[key])
        for key, kind in KINDS.items()
        if kind != "text" and key not in ("schema_version", "image_size", *_COUNTS) and not pd.isna(cells[key])
    }
    # MLflow compares by the metric that was logged first, and draws the sections in the order of the alphabet.
    scores = {f"{primary}{end}": numbers.get(f"test/{primary}{end}", math.nan) for end in ("", "_low", "_high")}
    numbers = {f"mean/{key}": value for key, value in scores.items()} | numbers
    return Row(
        candidate=str(cells["candidate"]),
        label=label,
        status=str(cells["status"]),
        params={_PARAMS.get(key, key): texts[key] for key in varying if key in texts},
        metrics={key: value for key, value in numbers.items() if math.isfinite(value)},
        tags=texts,
    )


def _is_missing(value: Any) -> bool:
    return bool(pd.isna(value)) or value == ""


def _reasons(board: Leaderboard) -> dict[str, str]:
    """Why runs of a candidate have no result, equal reasons once."""
    found: dict[str, Counter[str]] = {}
    for run in board.failures:
        found.setdefault(run.candidate, Counter())[escaped(f"{run.kind}: {run.message}")] += 1
    return {
        candidate: "\n".join(f"- {number} x {reason}" for reason, number in reasons.items())
        for candidate, reasons in found.items()
    }


def _note(primary: str, row: Row, reasons: str) -> str:
    """The candidate's result in a sentence, and why runs of it have none."""
    score = row.metrics.get(f"test/{primary}")
    if score is None or "place/rank" not in row.metrics:
        return f"`{row.candidate}`, {row.status}: not on the board's ranking.\n\n{reasons}".strip()[:LONGEST_NOTE]
    low, high = (row.metrics.get(f"test/{primary}_{end}", score) for end in ("low", "high"))
    ranks = f"{row.metrics['place/rank_low']:.0f} to {row.metrics['place/rank_high']:.0f}"
    interval = f"95 % interval {low:.4f} to {high:.4f}"
    tied = ", tied with the best" if row.metrics.get("place/tied_with_best") else ""
    number = row.tags["n_seeds"]
    seeds = "one seed" if number == "1" else f"mean of {number} seeds"
    result = f"{primary} {score:.4f}, {interval}, ranks {ranks}{tied}; {seeds}."
    return f"{result}\n\n`{row.candidate}`\n\n{reasons}".strip()[:LONGEST_NOTE]


def _board_note(board: Leaderboard) -> str:
    """The sentences and the table as far as they go in; a line is never cut."""
    rest = "The report is `report.html` among the artifacts, the whole board `leaderboard.md`."
    labels = {name: escaped(label) for name, label in candidate_labels(board.table).items()}
    lines = in_labels(to_markdown(board), labels).splitlines()[2:]
    used, kept = len(rest) + 2, list[str]()
    for line in lines:
        used += len(line) + 1
        if used > LONGEST_NOTE:
            break
        kept.append(line)
    return "\n".join([*kept, "", rest])
