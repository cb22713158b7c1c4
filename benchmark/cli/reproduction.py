"""The command that runs one run again."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmark import reproduction, store
from benchmark.cli.output import echo
from benchmark.errors import DONE, REGRESSION, RUNS_FAILED, ConfigurationError
from benchmark.predictions import Predictions
from benchmark.records import RunRecord

Run = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run's folder, results/<sweep.name>/runs/<run id>.")]


class OtherData(ValueError):
    """The command gives another run than it did: the pictures or the configuration have changed."""

    exit_code = 5


def reproduce(run: Run) -> int:
    """Run one run again, from the pictures on, and say whether its predictions are the same.

    The record's command is given again with the same number of threads, in a folder that is deleted afterwards; give
    it where the sweep was started if its paths are relative. Exit code 0 when the predictions are identical or the
    score lies inside the first run's 95 % interval, 4 when it lies outside, 3 when the run fails, 5 when the command
    gives another run because pictures or configuration have changed.

    \b
    Example:
      bench reproduce results/digits/runs/lenet-1f0c2d-s0
    """
    directory, before = _split(run.absolute()), store.load_record(run.absolute())
    with tempfile.TemporaryDirectory(prefix="bench-reproduce-") as folder:
        again = Path(folder) / reproduction.SWEEP
        command = [sys.executable, "-m", "benchmark", *reproduction.words(before, Path(folder))]
        echo(f"running {before.run_id} again ...")
        sys.stdout.flush()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if not (again / "runs" / before.run_id / "record.json").exists():
            return _explain_absence(done, again, before)
        after = store.load_record(again / "runs" / before.run_id)
        if not after.finished:
            reason = after.failure.message if after.failure else after.status
            echo(f"the run failed: {reason}")
            return RUNS_FAILED
        second = store.load_predictions(again, before.run_id)
    return _say(before, reproduction.compare((before, _first(directory, before)), (after, second)))


def _split(run: Path) -> Path:
    """The sweep's folder that the run lies in."""
    if run.parent.name != "runs" or not (run / "record.json").is_file():
        raise ConfigurationError(
            f"found no run in {run}; expected a run's folder, results/<sweep.name>/runs/<run id>: "
            "bench leaderboard and runs.csv name them"
        )
    return run.parent.parent


def _first(directory: Path, record: RunRecord) -> Predictions:
    return store.load_predictions(directory, record.run_id)


def _explain_absence(done: subprocess.CompletedProcess[str], again: Path, before: RunRecord) -> int:
    """Say why there is no run of the same id."""
    if not again.is_dir() or not list(again.glob("runs/*/record.json")):
        last = (done.stdout.strip().splitlines() or ["nothing was said"])[-1]
        echo(f"the command ended with exit code {done.returncode}: {last.removeprefix('error: ')}")
        return done.returncode or RUNS_FAILED
    others = store.load_records(again)
    changed = "the pictures or their split" if others[0].fingerprint != before.fingerprint else "the configuration"
    raise OtherData(
        f"found another run than {before.run_id}: {changed} changed since it was made; expected the same data and "
        "conf/ as then: check out its commit, or restore the pictures"
    )


def _say(before: RunRecord, found: reproduction.Reproduced) -> int:
    """The comparison in sentences, and its exit code."""
    if found.identical:
        echo(f"identical: all {found.pictures} predictions are the same numbers, {before.primary} {found.after:.6f}")
        return DONE
    place = "inside" if found.inside else "outside"
    echo(
        f"not identical: {found.same_classes} of {found.pictures} pictures get the same class, probabilities differ "
        f"by up to {found.largest:.2g}"
    )
    echo(
        f"{before.primary} {found.after:.6f}, before {found.before:.6f}: {place} the 95 % interval {found.low:.6f} to "
        f"{found.high:.6f}"
    )
    for change in found.changed:
        echo(f"- changed: {change}")
    return DONE if found.inside else REGRESSION
