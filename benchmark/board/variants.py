"""Variants: what tells apart two rows whose names are the same, because a value was given on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.board.candidates import Candidate, recipe


def variants(named: Mapping[Candidate, Sequence[Any]]) -> dict[str, str]:
    """From a candidate's name to `head.units=[64] head.dropout=0.3`; empty where its names are its own.

    Args:
        named: from a candidate to what a reader sees of it: names, sizes, the line on training.
    """
    alike: dict[str, list[Candidate]] = {}
    for candidate, names in named.items():
        alike.setdefault(json.dumps(list(names)), []).append(candidate)
    told: dict[str, str] = {}
    for same in alike.values():
        contents = [recipe(candidate.spec) for candidate in same]
        every = set().union(*contents)
        keys = sorted(key for key in every if _differs(key, contents))
        for candidate, content in zip(same, contents, strict=True):
            told[candidate.name] = " ".join(f"{key}={_text(content[key])}" for key in keys if key in content)
    return told


def _differs(key: str, contents: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a key has two values, or is missing somewhere."""
    return any(key not in content or content[key] != contents[0].get(key) for content in contents)


def _text(value: Any) -> str:
    """The value as it is given on the command line."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
