"""`bench plan`: what a sweep would do."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark import asking, sweep
from benchmark.cli.boards import show_board


def plan(
    words: Annotated[list[str], typer.Argument(help="The sweep's words, as after `python -m benchmark -m`.")],
    multirun: Annotated[bool, typer.Option("--multirun", "-m", hidden=True, help="A plan is always a sweep's.")] = True,
) -> int:
    """Compose and validate a sweep, show what it would compute and about how long it takes; run nothing.

    \b
    Examples:
      bench plan experiment=quickstart
      bench plan dataset=folder dataset.root=pictures backbone=lenet,minivgg 'seed=range(3)'
    """
    code = sweep.run(asking.jobs([*words, "launcher.dry_run=true"]), show_board)
    elsewhere = next((word.partition("=")[2] for word in words if word.startswith("hydra/launcher=")), "planned")
    if elsewhere == "ray" or "launcher.engine=ray" in words:
        typer.echo("the time is that of this machine alone; in a cluster it depends on its machines")
    elif elsewhere != "planned":
        typer.echo(
            f"hydra/launcher={elsewhere} trains every run by itself: nothing of this is shared, and it takes longer"
        )
    return code
