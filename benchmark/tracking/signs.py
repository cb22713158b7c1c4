"""Signs of life: tags of a sweep's run by which other hosts know which processes are still at its runs."""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmark import environment

PREFIX = "alive."
SECONDS_BETWEEN = 60.0
SECONDS_OF_SILENCE = 900.0
"""After which a process counts as dead; more than the clocks of two hosts may differ."""


def own() -> dict[str, str]:
    """The tag of this process, with the seconds since 1970."""
    return {name(environment.process_identity()): str(int(time.time()))}


def name(identity: Mapping[str, str]) -> str:
    """The tag's name for the process of this identity."""
    return PREFIX + ".".join(identity.get(key, "") for key in ("host", "pid", "born"))


def silent(tags: Mapping[str, str]) -> list[str]:
    """Those of the signs among these tags that were given too long ago."""
    latest = time.time() - SECONDS_OF_SILENCE
    signs = {key: value for key, value in tags.items() if key.startswith(PREFIX)}
    return [key for key, value in signs.items() if not value.isdecimal() or int(value) < latest]
