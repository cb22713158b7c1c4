"""`bench`: everything but running. A command's module is imported only when that command is called for."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Annotated, Any, NamedTuple

import typer

from benchmark.cli import output
from benchmark.errors import DONE, INTERRUPTED, USAGE, explain


class Command(NamedTuple):
    """Where a command lives and what it does in one line."""

    module: str
    help: str


COMMANDS = {
    "audit": Command("data", "Look through a folder of pictures and report what is in it."),
    "prepare": Command("data", "Write a cleaned, square copy of a folder of pictures."),
    "cache": Command("data", "Show or clear what is kept so that no picture is decoded twice."),
    "plan": Command("plan", "Show what a sweep would run, share and take, without running it."),
    "leaderboard": Command("boards", "Print the leaderboard of a sweep and what it can and cannot tell."),
    "report": Command("report", "Write the report of a sweep: one HTML file, and a page for every run."),
    "diff": Command("comparison", "Compare two boards: what is better, worse, new, gone, fixed or broken."),
    "failures": Command("failures", "List the runs without a result, why, and how to run them again."),
    "effects": Command("questions", "Say what each choice changes, all else being equal."),
    "power": Command("questions", "Say how many seeds or images would tell the top rows apart."),
    "backbones": Command("models", "List the backbones with their parameters, FLOPs, minimum sizes and weights."),
    "rebuild": Command("recovery", "Write boards, tables and report again from the records alone."),
    "verify": Command("recovery", "Prove that records, tables and MLflow agree, or name each difference."),
    "reproduce": Command("reproduction", "Run one run again and say whether it comes out the same."),
    "mlflow": Command("exchange", "Send a sweep to MLflow, or make its folder again from there."),
    "doctor": Command("doctor", "Look at this machine and a planned sweep: what is wrong, and what to do."),
    "ui": Command("ui", "Open MLflow's user interface on the runs of a results folder."),
    "metrics": Command("boards", "List the metrics and which way they point."),
}
"""From a command's name to the function of that name in benchmark/cli/<module>.py."""

_EXAMPLES = """Examples:

\b
  bench audit pictures
  bench plan backbone=lenet,minivgg 'seed=range(3)'
  bench leaderboard results/digits
  bench report results/digits --open
  bench diff results/before results/after
  bench failures results/digits
  bench effects results/digits
  bench power results/digits
  bench backbones --classes 10 --image-size 224 --head dense
  bench verify results/digits
  bench ui

Exit codes: 0 done, 1 usage or configuration, 2 data contract broken, 3 some runs failed,
4 a significant regression, 5 not comparable, 130 interrupted."""

# Typer brings its own click or uses an installed one, depending on its version; this finds the class in both.
_ClickError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the documented code."""
    sys.exit(run(sys.argv[1:] if words is None else words))


def run(words: Sequence[str]) -> int:
    """The exit code of the command given by these words."""
    output.forget_warnings()
    try:
        code = _app(words)(list(words), prog_name="bench", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # click turns a broken pipe into an exit; nothing else does so here
        # The reader of a pipe has seen enough; what is still buffered must not raise once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except _ClickError as error:
        typer.echo(f"error: {_explained(error, words)}", err=True)
        return USAGE
    except Exception as error:  # the outermost frame: every mistake becomes a sentence and an exit code
        return explain(error)
    return max(code if isinstance(code, int) else DONE, output.worst_warning())


def _explained(error: Any, words: Sequence[str]) -> str:
    """What is wrong with the words of the command line, and how they should look."""
    said: str = error.format_message()
    first = next((word for word in words if not word.startswith("-")), "")
    if said.startswith("No such command") and first not in COMMANDS:
        command = next((word for word in words if word in COMMANDS), None)
        if command:
            return f"{said} The command comes first: bench {command} {first}"
        return f"{said} There are {', '.join(COMMANDS)}"
    if said.startswith("Missing argument") and error.ctx is not None:
        return f"{said} {error.ctx.get_usage()}"
    return said


def _app(words: Sequence[str]) -> typer.Typer:
    """All commands by name and help; only the one that `words` call for is the real one."""
    app = typer.Typer(
        help="Read, compare and explain the results of sweeps.",
        epilog=_EXAMPLES,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_root)
    called = next((word for word in words if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        found = _load(name, command.module) if name == called else _absent
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, short_help=command.help)
        else:
            app.command(name, short_help=command.help)(found)
    return app


def _load(name: str, module: str) -> Callable[..., Any] | typer.Typer:
    """The function of a command, or the commands below it."""
    found: Callable[..., Any] | typer.Typer = getattr(importlib.import_module(f"benchmark.cli.{module}"), name)
    return found


def _absent() -> None:
    """Stands in the list of commands for one that was not called."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"classifier-benchmark {metadata.version('classifier-benchmark')}")
        raise typer.Exit


def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an unexpected error came from.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say it.")] = False,
) -> None:
    if debug:
        os.environ["BENCH_DEBUG"] = "1"
