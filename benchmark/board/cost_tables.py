"""The costs of a board as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmark.board.costs import PRICES
from benchmark.board.markdown import Compact, names_text, range_text, varying_names
from benchmark.board.sentences import score_text
from benchmark.board.table import Leaderboard
from benchmark.wording import amount

_SHORT = {
    "trainable_parameters": "parameters",
    "flops": "FLOPs",
    "latency_ms_batch_1_p50": "latency",
    "seconds_train_mean": "training",
}
"""How the column `front` names the costs."""


def compact_costs(board: Leaderboard, costs: pd.DataFrame) -> Compact:
    """One line a candidate, in the board's order; milliseconds are `p50 / p95`, seconds are means over runs."""
    names = varying_names(board)
    spent = {row["candidate"]: row for row in costs.to_dict("records")}
    titles = ("rank", "tied", *names, board.primary, "trainable", "MFLOPs", "1 picture ms", "batch 32 ms")
    lines = []
    for row in board.table.to_dict("records"):
        ranked = not pd.isna(row["rank"])
        score = row[f"test_{board.primary}"]
        lines.append(
            (
                range_text(row["rank_low"], row["rank_high"]) if ranked else "",
                ("tied" if row["tied_with_best"] else "") if ranked else str(row["status"]),
                *names_text(row, names),
                "" if pd.isna(score) else score_text(score),
                *_amounts(spent[row["candidate"]]),
            )
        )
    return Compact((*titles, "training s", "memory MB", "front"), tuple(lines))


def _amounts(row: Mapping[Any, Any]) -> tuple[str, ...]:
    """Sizes, milliseconds, seconds, memory, and on which fronts the row is."""
    flops = row["flops"]
    on_front = [_SHORT[price.column] for price in PRICES if row[f"on_front_{price.column}"] is True]
    return (
        _number(row["trainable_parameters"], ",.0f"),
        "" if pd.isna(flops) else f"{flops / 1e6:,.1f}",
        *(
            " / ".join(_amount(row[f"latency_ms_{batch}_{end}"]) for end in ("p50", "p95")).removeprefix(" / ")
            for batch in ("batch_1", "batch_32")
        ),
        _amount(row["seconds_train_mean"]),
        _number(row["peak_memory_mb_max"], ",.0f"),
        ", ".join(on_front),
    )


def _amount(value: Any) -> str:
    return "" if pd.isna(value) else amount(value)


def _number(value: Any, form: str) -> str:
    return "" if pd.isna(value) else format(value, form)
