"""Modules of the user's own that register backbones, metrics, weightings or schedules when they are imported."""

from __future__ import annotations

import importlib

from benchmark.errors import ConfigurationError


def load_plugin(name: str) -> None:
    """Import the module.

    Raises:
        ConfigurationError: it cannot be imported.
    """
    try:
        importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"found no plug-in {name!r} ({error}); expected an importable module: run from its folder or set PYTHONPATH"
        ) from error
