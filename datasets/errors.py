"""The two mistakes a caller of this package can act on."""

import difflib
from collections.abc import Iterable


class DatasetUsageError(ValueError):
    """An option that makes no sense, or a folder or table that is not there: the command has to change."""


class DataContractBroken(ValueError):
    """The pictures or labels cannot serve for what was asked: the data, or what is asked of it, has to change."""

    exit_code = 2


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause that names the nearest known name, or else all of them (at most 20)."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    shown = ", ".join(repr(known_name) for known_name in names[:20]) or "none"
    return f"there are: {shown}{', ...' if len(names) > 20 else ''}"
