"""Effects as CSV, Markdown and as lines of text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmark.board.columns import Kind, typed, written
from benchmark.board.effects import Effect, Effects
from benchmark.board.markdown import escaped, markdown_table
from benchmark.board.sentences import change_text, score_text

EFFECT_COLUMNS: Mapping[str, Kind] = {
    "axis": "text",
    "level": "text",
    "reference": "text",
    "backbone": "text",
    "metric": "text",
    "class": "text",
    "pairs": "integer",
    "difference": "decimal",
    "low": "decimal",
    "high": "decimal",
    "p_value": "decimal",
    "verdict": "text",
}
"""Of the CSV, in their order: one line an effect, first on the primary metric, then on recalls."""


class TextTable(NamedTuple):
    """Titles and lines of text."""

    titles: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def effect_rows(effects: Effects) -> list[dict[str, object]]:
    """One mapping with the keys of EFFECT_COLUMNS for each effect; None where there is no interval."""
    return [
        {
            **{name: value for name, value in effect._asdict().items() if name != "class_name"},
            "class": effect.class_name,
            "low": None if np.isnan(effect.low) else effect.low,
            "high": None if np.isnan(effect.high) else effect.high,
            "verdict": effect.verdict,
        }
        for effect in (*effects.on_primary, *effects.on_recall)
    ]


def effects_csv(effects: Effects) -> str:
    """The same bytes for the same results."""
    return written(typed(effect_rows(effects), EFFECT_COLUMNS), EFFECT_COLUMNS)


def primary_table(effects: Effects) -> TextTable:
    """Effects on the primary metric."""
    titles = ("axis", "level", "against", "backbone", "pairs", f"{effects.primary} [95 %]", "p", "verdict")
    return TextTable(titles, _lines(effects.on_primary, lambda effect: (effect.backbone, str(effect.pairs))))


def recall_table(effects: Effects) -> TextTable:
    """Effects on the recall of every class."""
    titles = ("axis", "level", "against", "class", "pairs", "recall [95 %]", "p", "verdict")
    return TextTable(titles, _lines(effects.on_recall, lambda effect: (effect.class_name, str(effect.pairs))))


def effects_markdown(effects: Effects) -> str:
    """Sentences and both tables."""
    parts = ["# Effects", "", *(f"- {escaped(sentence)}" for sentence in effects.sentences), ""]
    for title, table in (("Primary metric", primary_table(effects)), ("Recall", recall_table(effects))):
        if table.lines:
            parts += [f"## {title}", "", *markdown_table(table.titles, table.lines), ""]
    return "\n".join(parts)


def _lines(effects: Sequence[Effect], middle: Callable[[Effect], tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (effect.axis, effect.level, effect.reference, *middle(effect), _difference(effect), *_judged(effect))
        for effect in effects
    )


def _difference(effect: Effect) -> str:
    """`+.021 [+.004, +.038]`, or the difference alone."""
    if np.isnan(effect.low):
        return change_text(effect.difference)
    return f"{change_text(effect.difference)} [{change_text(effect.low)}, {change_text(effect.high)}]"


def _judged(effect: Effect) -> tuple[str, str]:
    p_value = "under .001" if effect.p_value < 0.001 else score_text(effect.p_value)
    return p_value, effect.verdict
