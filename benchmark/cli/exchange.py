"""Commands between a sweep's folder and MLflow: send what is missing there, or fetch it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark import publish, store, tracking, whereabouts
from benchmark.cli.boards import Sweep
from benchmark.cli.output import echo, warn
from benchmark.cli.recovery import Uri
from benchmark.credentials import without_credentials
from benchmark.errors import DATA
from benchmark.wording import counted

_EXAMPLES = """Examples:

\b
  bench mlflow push results/digits --uri http://127.0.0.1:5000
  bench mlflow pull http://127.0.0.1:5000 results/digits --sweep digits"""

mlflow = typer.Typer(
    help="Send a sweep to MLflow, or make its folder again from there.", epilog=_EXAMPLES, no_args_is_help=True
)

From = Annotated[str, typer.Argument(metavar="URI", help="MLflow's server or database: http://..., sqlite:///...")]
Name = Annotated[str, typer.Option("--sweep", metavar="NAME", help="The sweep's name, or its sweep_id if several.")]
Target = Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, called like the sweep: results/NAME.")]


@mlflow.command(short_help="Send the runs that MLflow lacks.")
def push(directory: Sweep, uri: Uri = None) -> None:
    """Send the runs that MLflow lacks, or holds otherwise than their records: parameters, epochs, metrics and files.

    What is there already is left as it is, so that the command may be given again at any time.

    \b
    Examples:
      bench mlflow push results/digits
      bench mlflow push results/digits --uri http://127.0.0.1:5000
    """
    for run in store.survey(directory).broken:
        warn(run.sentence, DATA)
    known = whereabouts.noted(directory)
    uri = uri or (known.uri if known else None)
    sent = tracking.push(uri, directory, publish.board(directory).board)
    whereabouts.note_sent(directory, uri)
    for run_id in sent.sent:
        echo(f"sent {run_id}")
    replaced = f", {sent.removed} replaced" if sent.removed else ""
    echo(
        f"{counted(len(sent.sent), 'run')} sent, {sent.present} there already{replaced}; the board there is up to date"
    )


@mlflow.command(short_help="Make a sweep's folder from MLflow.")
def pull(uri: From, directory: Target, sweep: Name) -> None:
    """Make a sweep's folder from MLflow: records, predictions, histories and logs, then its board and tables.

    \b
    Example:
      bench mlflow pull http://127.0.0.1:5000 results/digits --sweep digits
    """
    runs = tracking.pull(uri, sweep, directory)
    for run in store.survey(directory).broken:
        warn(run.sentence, DATA)
    publish.board(directory)
    whereabouts.note_sent(directory, uri)
    echo(f"{counted(len(runs), 'run')} from {without_credentials(uri)}: {directory}")
