"""Labels: short names of candidates, made of what tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmark.spec import AXES

TELLING = (*AXES, "image_size", "weights", "training")
"""Columns of the board that may differ between candidates."""

_WORDS = {("weighting", "none"): "", ("augmentation", "none"): "", ("weights", "none"): "from scratch"}


def candidate_labels(table: pd.DataFrame) -> dict[str, str]:
    """From the candidate ids of a board to `lenet · balanced · 32 px`; alike ones also carry the end of their id.

    No weighting and no augmentation go without saying.
    """
    telling = _telling(table[table["status"] != "baseline"])
    labels = {row["candidate"]: _label(row, telling) for row in table.to_dict("records")}
    counts = Counter(labels.values())
    return {
        name: label if counts[label] == 1 else f"{label} · {name.rpartition('-')[2][:6]}"
        for name, label in labels.items()
    }


def in_labels(sentence: str, labels: Mapping[str, str]) -> str:
    """The sentence with the labels of candidates instead of their ids."""
    for name in sorted(labels, key=len, reverse=True):
        sentence = sentence.replace(name, labels[name])
    return sentence


def _telling(trained: pd.DataFrame) -> list[str]:
    """The backbone, and each further column that tells apart what those before it did not."""
    chosen, apart = [TELLING[0]], trained[TELLING[0]].nunique(dropna=False)
    for name in TELLING[1:]:
        groups = len(trained[[*chosen, name]].drop_duplicates())
        if groups > apart:
            chosen, apart = [*chosen, name], groups
    return chosen


def _label(row: dict[Any, Any], telling: list[str]) -> str:
    words = []
    for name in telling:
        value = row[name]
        if pd.isna(value) or value == "":
            continue
        text = str(value).partition("@sha256:")[0].rpartition("/")[2]
        words.append(_WORDS.get((name, text), f"{text} px" if name == "image_size" else text))
    if row["status"] == "baseline":
        return f"{row['backbone']} (baseline)"
    return " · ".join(word for word in words if word) or str(row["candidate"])
