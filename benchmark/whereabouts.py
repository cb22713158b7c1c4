"""Whereabouts: where a sweep was sent in MLflow, noted in its folder, so that commands look there unasked."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import ValidationError

from benchmark import store
from benchmark.credentials import stripped
from benchmark.jobs import Tracking

NOTE = ".tracking.json"
_RELATIVE = re.compile(r"sqlite:///(?=[^/])")


def note(directory: Path, tracking: Tracking) -> None:
    """Note where the sweep in this folder is tracked, without user name and password; a relative path made absolute."""
    uri = tracking.uri and _RELATIVE.sub(f"sqlite:///{Path.cwd()}/", stripped(tracking.uri))
    store.write_text(directory / NOTE, tracking.model_copy(update={"uri": uri}).model_dump_json() + "\n")


def note_sent(directory: Path, uri: str | None) -> None:
    """Note the store that the sweep was sent to, unless it is known to be tracked elsewhere."""
    known = noted(directory)
    if known is None or not known.enabled:
        note(directory, Tracking(enabled=True, uri=uri))


def noted(directory: Path) -> Tracking | None:
    """What was noted last; None for a folder of which nothing is known."""
    try:
        return Tracking.model_validate_json((directory / NOTE).read_bytes())
    except (OSError, ValidationError):
        return None
