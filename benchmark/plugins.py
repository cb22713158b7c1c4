"""Modules of the user's own that register backbones, metrics, weightings or schedules when they are imported."""

from __future__ import annotations

import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType

from benchmark.errors import ConfigurationError

_loaded: dict[str, ModuleType] = {}


def sources() -> tuple[Path, ...]:
    """The files that the loaded plug-ins are written in: the module's own, or all of a package."""
    found = []
    for name in sorted(_loaded):
        file = Path(_loaded[name].__file__ or "")
        found += sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]
    return tuple(file for file in found if file.suffix == ".py")


def load_plugin(name: str) -> None:
    """Import the module.

    Raises:
        ConfigurationError: it cannot be imported.
    """
    try:
        with _without_greetings() if "tensorflow" not in sys.modules else nullcontext():
            _loaded[name] = importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"found no plug-in {name!r} ({error}); expected an importable module: run from its folder or set PYTHONPATH"
        ) from error


_GREETING = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:\d{4,}|WARNING: All log messages before absl|To enable the following instr"
)
"""How lines begin that TensorFlow writes while it loads."""


@contextmanager
def _without_greetings() -> Iterator[None]:
    """A plug-in that imports Keras loads TensorFlow here: its greetings, which no setting silences, are left out."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            heard.seek(0)
            os.write(2, b"".join(line for line in heard if not _GREETING.match(line)))
