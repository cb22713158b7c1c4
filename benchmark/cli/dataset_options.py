"""The options of a data set as conf/dataset/*.yaml writes them, changed by words of a command line."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmark.registry import near, nearest
from datasets.spec import Dataset, dataset_from_mapping

CONF = Path(__file__).resolve().parents[2] / "conf" / "dataset"

ANY_SIZE = 224
"""Stands in for an image size that is left open; it plays no part in what a folder holds."""

_OVERRIDE = re.compile(r"(?:dataset\.)?([a-z_]+(?:\.[a-z_]+)*)=(.*)", re.DOTALL)


class OptionError(ValueError):
    """A word of the command that is no option of a data set."""

    exit_code = 1


def options_of(source: str) -> dict[str, Any]:
    """Every option of this source with its default.

    Raises:
        OptionError: there is no such source.
    """
    known = sorted(path.stem for path in CONF.glob("*.yaml") if path.stem != "schema")
    if source not in known:
        raise OptionError(f"unknown source {source!r}{near(source, known)}")
    return _composed(source)


def is_override(word: str) -> bool:
    """Whether the word has the form of an option, key=value; a folder of such a name can be given as ./key=value."""
    return _OVERRIDE.fullmatch(word) is not None


def overridden(options: Mapping[str, Any], words: Iterable[str]) -> dict[str, Any]:
    """The options with these key=value words in their place; `dataset.` before a key may be left out.

    Raises:
        OptionError: a key is unknown, or a value is no YAML.
    """
    changed = copy.deepcopy(dict(options))
    for word in words:
        found = _OVERRIDE.fullmatch(word)
        if found is None:
            raise OptionError(f"found {word!r}; expected KEY=VALUE, such as copies=drop")
        *path, last = found[1].split(".")
        place: Any = changed
        for step in path:
            place = place.get(step) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            raise OptionError(f"unknown dataset option {found[1]!r}{nearest(found[1], _dotted(changed))}")
        try:
            place[last] = yaml.safe_load(found[2])
        except yaml.YAMLError as error:
            raise OptionError(f"found {word!r}; expected a value as YAML writes it, such as [a, b] or null") from error
    return changed


def dataset_of(words: Sequence[str], name: str | None, source: str | None) -> Dataset:
    """What the words of a command, a folder and key=value, ask for on top of conf/dataset.

    Raises:
        OptionError: they make no sense together.
        DatasetUsageError: a value makes no sense.
    """
    places = [Path(word).expanduser() for word in words if not is_override(word)]
    overrides = [word for word in words if is_override(word)]
    if len(places) > 1:
        raise OptionError(
            f"found two folders, {places[0]} and {places[1]}; expected one and KEY=VALUE words, those with "
            "spaces in quotation marks: 'parts={train: train, val: test}'"
        )
    place = places[0] if places else None
    named = [word.partition("=")[2] for word in overrides if word.removeprefix("dataset.").startswith("source=")]
    source = source or (named[-1] if named else "table" if place is not None and place.is_file() else "folder")
    options = options_of(source)
    if place is None and source not in ("digits", "shapes"):
        raise OptionError("found no folder; expected bench audit DIR, or --source digits or shapes")
    if place is not None:
        options["table" if source == "table" else "root"] = str(place)
    options["name"] = name or (plain_name(place) if place is not None else source)
    options = overridden(options, overrides)
    options["image_size"] = options["image_size"] or ANY_SIZE
    if options["split"] == "kfold" and options["fold"] is None:
        options["fold"] = 0
    for key in ("root", "table"):
        options[key] = None if options[key] is None else Path(options[key]).expanduser().absolute()
    return dataset_from_mapping(options)


def plain_name(place: Path) -> str:
    """A name for the audit made from the folder's own."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", place.resolve().stem).strip("-.")[:100]
    return name or "pictures"


def _composed(name: str) -> dict[str, Any]:
    """The file's content upon that of the files which its list `defaults` names."""
    content = yaml.safe_load((CONF / f"{name}.yaml").read_text("utf-8")) or {}
    own = {key: value for key, value in content.items() if key != "defaults"}
    options: dict[str, Any] = {}
    for part in content.get("defaults", ["_self_"]):
        options |= own if part == "_self_" else _composed(part)
    return options


def _dotted(options: Mapping[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for key, value in options.items():
        keys.append(f"{prefix}{key}")
        if isinstance(value, dict):
            keys += _dotted(value, f"{prefix}{key}.")
    return keys
