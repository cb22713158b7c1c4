"""The command that looks at this machine and at a planned sweep before hours are spent."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from benchmark import asking, rehearsals
from benchmark.cli.output import echo
from benchmark.doctor import Finding, examine_data, examine_machine
from benchmark.errors import DONE, USAGE
from benchmark.jobs import Job

MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[WORD]...", help="The sweep's words, as after `python -m benchmark -m`."),
]


def doctor(words: Words = None) -> int:
    """Look at Python, packages, cores, memory, disks, GPU, MLflow, the data and every network of a planned sweep.

    Each finding comes with its remedy; a batch is passed through every network, with the weights that the sweep would
    use, which are fetched if they are not there. Exit code 1 when there is a problem.

    \b
    Examples:
      bench doctor
      bench doctor backbone=xception,mobilenetv3small dataset=folder dataset.root=pictures
    """
    jobs = asking.jobs(words or [])
    counts = {"ok": 0, "warning": 0, "problem": 0}
    for finding in itertools.chain(
        examine_machine(jobs), _tracking(jobs), examine_data(jobs), rehearsals.rehearse(jobs)
    ):
        counts[finding.state] += 1
        remedy = f" -> {finding.remedy}" if finding.remedy else ""
        echo(f"{MARKS[finding.state]} {finding.subject}: {finding.text}{remedy}")
        sys.stdout.flush()
    echo(", ".join(f"{counts[state]} {state}{'' if counts[state] == 1 else 's'}" for state in ("problem", "warning")))
    return USAGE if counts["problem"] else DONE


def _tracking(jobs: Sequence[Job]) -> Iterator[Finding]:
    """Whether MLflow answers."""
    job = jobs[0]
    if not job.tracking.enabled:
        yield Finding("MLflow", "ok", "not used (tracking=none)")
        return
    from benchmark import tracking  # noqa: PLC0415 - MLflow takes seconds to load

    try:
        yield Finding("MLflow", "ok", tracking.probe(job.tracking.uri, job.paths.results))
    except tracking.TrackingUnavailable as error:
        yield Finding("MLflow", "problem", str(error), "start the server, or tracking=none")
