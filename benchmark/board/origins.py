"""Whether the results of one board were computed by the same code and libraries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark.records import RunRecord, software

MOST_NAMED = 4
"""Values of a fact, and facts, that the sentence names."""


def several_origins(records: Sequence[RunRecord]) -> list[str]:
    """A warning when finished runs come from different commits, changes of one, or library versions."""
    known = [_facts(record.environment) for record in records if record.finished and "commit" in record.environment]
    keys = sorted({key for facts in known for key in facts})
    values = {key: list(dict.fromkeys(facts.get(key, "?") for facts in known)) for key in keys}
    differing = [f"{key} {_listed(found)}" for key, found in values.items() if len(found) > 1]
    if not differing:
        return []
    rest = f"; {len(differing) - MOST_NAMED} more" if len(differing) > MOST_NAMED else ""
    return [
        f"These results were not all computed by the same code and libraries ({'; '.join(differing[:MOST_NAMED])}"
        f"{rest}): a difference between rows may come from that; the sweep's command with sweep.stale=rerun does the "
        "older ones again."
    ]


def _facts(environment: dict[str, Any]) -> dict[str, str]:
    """What a difference is told by: `commit`, `changes`, `python` and every package."""
    found = software(environment)
    return {
        "commit": str(found["commit"])[:7],
        "changes": str(found["diff"]) or "none",
        "python": str(found["python"]),
        **{package: str(version) for package, version in (found["versions"] or {}).items()},
    }


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values[:MOST_NAMED]) + (", ..." if len(values) > MOST_NAMED else "")
