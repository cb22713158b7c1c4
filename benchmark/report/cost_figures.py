"""Score against cost: a plot for each way to count cost, and the table that names what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from benchmark.board.costs import PRICES, Price
from benchmark.board.sentences import score_text
from benchmark.board.table import Leaderboard
from benchmark.report.plots import OTHERS, Dots, Line, Plot, Span

_SHARED = 2
"""Places on the board that a marker names when several rows lie at its spot."""
_MOST_SPANS = 20
"""With more points in one series their intervals are not drawn."""


class Priced(NamedTuple):
    """A ranked row with its score and what it costs: each text, and whether nothing beats it in both."""

    rank: int
    label: str
    score: str
    prices: tuple[tuple[str, bool], ...]


class PriceTable(NamedTuple):
    """What the numbers in the plots of score against cost stand for."""

    titles: tuple[str, ...]
    rows: list[Priced]


_X_LABELS = {
    "trainable_parameters": "trainable parameters",
    "flops": "floating-point operations a picture",
    "latency_ms_batch_1_p50": "milliseconds a picture (median, one at a time)",
    "seconds_train_mean": "seconds of training, mean over runs",
}


def pareto_plots(board: Leaderboard, prices: pd.DataFrame, labels: Mapping[str, str]) -> dict[str, Plot]:
    """The score against each cost that is known, by the names of the costs; the front is what nothing beats in both.

    `prices` are the costs of the candidates of this very board (`benchmark.board.costs`).
    """
    plots = {}
    rows = _priced(board, prices)
    for price in PRICES:
        points = [row for row in rows if _is_known(row[price.column])]
        if points:
            plots[price.column] = _pareto(price, points, board.primary, labels)
    return plots


def price_table(board: Leaderboard, prices: pd.DataFrame, labels: Mapping[str, str]) -> PriceTable:
    """The rows in the plots with everything that is drawn of them, in the board's order."""
    rows = _priced(board, prices)
    known = [price for price in PRICES if any(_is_known(row[price.column]) for row in rows)]
    return PriceTable(
        tuple(price.words for price in known),
        [
            Priced(
                row["rank"],
                labels[row["candidate"]],
                score_text(row[f"test_{board.primary}"]),
                tuple(
                    (
                        price.text(row[price.column]) if _is_known(row[price.column]) else "",
                        row[f"on_front_{price.column}"] is True,
                    )
                    for price in known
                ),
            )
            for row in rows
        ],
    )


def _priced(board: Leaderboard, prices: pd.DataFrame) -> list[dict[str, Any]]:
    """The ranked rows with their costs."""
    merged = board.ranked.merge(prices, on="candidate", suffixes=("", "_again"))
    return [{str(key): value for key, value in row.items()} for row in merged.to_dict("records")]


def _is_known(amount: Any) -> bool:
    return not pd.isna(amount) and amount > 0


def _pareto(price: Price, rows: Sequence[Mapping[str, Any]], primary: str, labels: Mapping[str, str]) -> Plot:
    best = [row for row in rows if row[f"on_front_{price.column}"] is True]
    beaten = [row for row in rows if row[f"on_front_{price.column}"] is not True]
    ends = sorted((float(row[price.column]), float(row[f"test_{primary}"])) for row in best)
    values = [float(row[price.column]) for row in rows]
    named = ", ".join(labels[row["candidate"]] for row in best[:3])
    return Plot(
        f"Score against {price.words}",
        f"{len(rows)} candidates; {len(best)} on the front, such as {named}.",
        _X_LABELS[price.column],
        primary.replace("_", " "),
        (Line("", tuple(end[0] for end in ends), tuple(end[1] for end in ends), 1, dashed=True),),
        (
            _dots("beaten by another", beaten, price, primary, labels)._replace(colour=OTHERS),
            _dots("on the front", best, price, primary, labels),
        ),
        x_logarithmic=max(values) / min(values) > 6,
    )


def _dots(title: str, rows: Sequence[Mapping[str, Any]], price: Price, primary: str, labels: Mapping[str, str]) -> Dots:
    """Markers of these rows, with intervals unless there are too many."""
    name = f"test_{primary}"
    values, scores = ([float(row[column]) for row in rows] for column in (price.column, name))
    spans = [
        Span(value, float(row[f"{name}_low"]), value, float(row[f"{name}_high"]))
        for row, value in zip(rows, values, strict=True)
    ]
    texts = [
        f"{row['rank']} {labels[row['candidate']]}: {score_text(score)}, {price.text(value)}"
        for row, score, value in zip(rows, scores, values, strict=True)
    ]
    places = _places(list(zip(values, scores, [row["rank"] for row in rows], strict=True)))
    kept = tuple(spans) if len(spans) <= _MOST_SPANS else ()
    return Dots(title, tuple(values), tuple(scores), tuple(texts), 1, kept, places)


def _places(points: Sequence[tuple[float, float, int]]) -> tuple[str, ...]:
    """A label for each point: its place on the board; points at one spot share that of the first of them."""
    spots: dict[tuple[float, float], list[int]] = {}
    for value, score, rank in points:
        spots.setdefault((value, round(score, 3)), []).append(rank)
    shared = {spot: _listed(ranks) for spot, ranks in spots.items()}
    return tuple(shared.pop((value, round(score, 3)), "") for value, score, _ in points)


def _listed(ranks: Sequence[int]) -> str:
    """`3`, `3, 4` or `3, 4 +2`."""
    more = len(ranks) - _SHARED
    return ", ".join(map(str, ranks[:_SHARED])) + (f" +{more}" if more > 0 else "")
