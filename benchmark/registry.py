"""Registries: things of one kind by name, and the sentence for a name that nothing carries."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Registry(Generic[Thing]):
    """Things of one kind by name, in the order in which they were added."""

    def __init__(self, kind: str, unknown: type[Exception]) -> None:
        """An empty registry; `kind` and `unknown` are what an unknown name is called and raises."""
        self._kind = kind
        self._unknown = unknown
        self._things: dict[str, Thing] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self._things)

    def add(self, name: str, thing: Thing) -> None:
        """Have the name stand for the thing, whatever it stood for."""
        self._things[name] = thing

    def find(self, name: str) -> Thing:
        """The thing of this name; raises the registry's own error when there is none."""
        if name not in self._things:
            raise self._unknown(f"unknown {self._kind} {name!r}{near(name, self._things)}")
        return self._things[name]


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean 'x'?` when a known name is near, else nothing."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {found[0]!r}?" if found else ""


def near(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """How the sentence about an unknown name ends: the known name nearest to it, if any is near, and all of them."""
    names = list(known)
    return f"{nearest(name, names, cutoff) or ';'} there are {', '.join(names)}"
