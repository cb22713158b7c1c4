"""Compare image classifiers so that the answer can be trusted. Results as DataFrames:

from benchmark import load_leaderboard, load_predictions, load_runs
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.report.frames import load_leaderboard, load_predictions, load_runs

__all__ = ["load_leaderboard", "load_predictions", "load_runs"]


def __getattr__(name: str) -> Any:
    """The functions above, whose modules are imported when they are first asked for: nobody else pays for pandas."""
    if name in __all__:
        return getattr(importlib.import_module("benchmark.report.frames"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
