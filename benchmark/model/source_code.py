"""Source code: a digest of the modules that something is made by, so that what is kept knows its code."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path

_HARNESS = __name__.partition(".")[0]


@lru_cache(maxsize=64)
def digest(*makers: Callable[..., object]) -> str:
    """A hash of the files of the modules that define the makers, and of those that these import, at any depth.

    Imports inside functions count. Not seen are Python's own modules, packages that were installed (but for the
    maker's own), modules of this package (but for the makers'), names that are put together at run time, and files
    that a module reads. A maker without a file, one typed into a session, has another digest in each process.
    """
    files: dict[str, bytes] = {}
    for maker in makers:
        if _content(maker.__module__) is None:
            files[f"{maker.__module__} {id(maker)}"] = uuid.uuid4().bytes
        else:
            _collect(maker.__module__, files)
    found = hashlib.sha256()
    for name in sorted(files):
        found.update(f"{name} {len(files[name])} ".encode() + files[name])
    return found.hexdigest()


def _collect(first: str, files: dict[str, bytes]) -> None:
    """Add the module's file and those of what it imports, by their modules' names."""
    waiting, own = [first], first.partition(".")[0]
    while waiting:
        name = waiting.pop()
        content = None if name in files else _content(name)
        if content is not None:
            files[name] = content
            waiting += [one for one in _imported(name, content) if _is_followed(one.partition(".")[0], own)]


def _is_followed(package: str, own: str) -> bool:
    """Whether modules of this top-level package, imported by those of `own`, are no library's."""
    if package in sys.stdlib_module_names or package == _HARNESS:
        return False
    found = _spec(package)
    return package == own or (found is not None and not _is_installed(found))


def _is_installed(spec: ModuleSpec) -> bool:
    """Whether a top-level module lies in a folder that packages are installed into."""
    place = next(iter(spec.submodule_search_locations or [spec.origin or ""]))
    return any(Path(place).parent.glob("*.dist-info"))


def _imported(name: str, content: bytes) -> Iterator[str]:
    """What the module may import, packages on the way included; some of the names are no module's."""
    spec = _spec(name)
    if spec is None or not str(spec.origin).endswith(".py"):
        return
    try:
        tree = ast.parse(content)
    except SyntaxError:
        # Whoever imports it hears of it.
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = importlib.util.resolve_name("." * node.level + (node.module or ""), spec.parent)
            names = [f"{start}.{one.name}" for one in node.names]
        else:
            continue
        for one in names:
            parts = one.split(".")
            yield from (".".join(parts[: place + 1]) for place in range(len(parts)))


def _content(name: str) -> bytes | None:
    """The bytes of the module's file; None = there is no such module, or it has no file."""
    spec = _spec(name)
    read = getattr(spec and spec.loader, "get_data", None)
    if spec is None or read is None or not spec.has_location:
        return None
    try:
        content: bytes = read(spec.origin)
    except OSError:
        return None
    return content


def _spec(name: str) -> ModuleSpec | None:
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    try:
        return loaded or importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
