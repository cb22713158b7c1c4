"""Commands that make a sweep's folder whole again, and that prove that it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark import publish, store, whereabouts
from benchmark.cli.boards import Sweep
from benchmark.cli.output import echo, warn
from benchmark.credentials import without_credentials
from benchmark.errors import DATA, DONE
from benchmark.jobs import Tracking
from benchmark.verification import verify_files
from benchmark.wording import counted

Uri = Annotated[
    str | None,
    typer.Option(metavar="URI", help="MLflow's server or database; if not given, the sweep's own."),
]


def rebuild(directory: Sweep) -> None:
    """Write leaderboard.csv, leaderboard.md, costs.csv, runs.csv and report.html again from the records alone.

    Damaged runs and manifests are named, and make the exit code 2; the sweep's command makes them again.

    \b
    Example:
      bench rebuild results/digits
    """
    for run in store.survey(directory).broken:
        warn(run.sentence, DATA)
    from benchmark.report import pictures  # noqa: PLC0415 - templates and figures take a second to load
    from benchmark.report import sweep as report  # noqa: PLC0415

    for damage in pictures.damaged_manifests(directory):
        warn(damage, DATA)
    published = publish.board(directory)
    drawn = report.write(directory, "board", board=published.board)
    for file in (*published.files, drawn.report):
        echo(f"wrote {file}")


def verify(directory: Sweep, uri: Uri = None) -> int:
    """Prove that the records are what the runs wrote and that tables and MLflow say the same, or name each difference.

    Exit code 0 when all agree, 2 when something differs.

    \b
    Examples:
      bench verify results/digits
      bench verify results/digits --uri http://127.0.0.1:5000
    """
    verified = verify_files(directory)
    differences, places = list(verified.differences), "records and tables"
    place = _mlflow(directory, uri)
    if place.enabled:
        from benchmark import tracking  # noqa: PLC0415 - MLflow takes seconds to load

        differences += tracking.compare(place.uri, directory, verified.board)
        places += f" and MLflow at {without_credentials(place.uri)}" if place.uri else " and MLflow"
    for difference in differences:
        echo(f"- {difference}")
    if differences:
        found = f"{counted(len(differences), 'difference')} in {counted(verified.runs, 'run')}"
        echo(f"{found}: {places} do not agree")
        return DATA
    unasked = "" if place.enabled else "; MLflow was not asked: the sweep is not tracked there"
    echo(f"{counted(verified.runs, 'run')}: {places} agree{unasked}")
    return DONE


def _mlflow(directory: Path, uri: str | None) -> Tracking:
    """Where to look for the sweep: as asked, as its folder says, or else in the database beside it, if there is one."""
    if uri:
        return Tracking(enabled=True, uri=uri)
    beside = (directory.absolute().parent / "mlflow.db").is_file()
    return whereabouts.noted(directory) or Tracking(enabled=beside, uri=None)
