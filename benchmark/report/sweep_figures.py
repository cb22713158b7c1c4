"""The figures of a sweep: score against cost, learning curves, effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.board.costs import PRICES, Price
from benchmark.board.effects import ALL_BACKBONES, Effect, Effects
from benchmark.board.sentences import change_text, score_text
from benchmark.board.table import Leaderboard
from benchmark.report.drawing import Axis, Tick
from benchmark.report.plots import OTHERS, Dots, Line, Plot, Span

_MOST_POINTS = 200
"""Of one curve; longer ones are thinned evenly."""
_SHARED = 2
"""Places on the board that a marker names when several rows lie at its spot."""
_MOST_SPANS = 20
"""With more points in one series their intervals are not drawn."""


class EffectBar(NamedTuple):
    """An effect as an interval on a scale of 0..100 %."""

    level: str
    backbone: str
    whole: bool
    """Whether it is the mean over several backbones."""
    pairs: int
    left: float
    width: float
    middle: float
    text: str
    verdict: str


class EffectPlot(NamedTuple):
    """All effects of one axis; `zero` is the place of no effect in percent."""

    axis: str
    reference: str
    bars: list[EffectBar]
    ticks: list[Tick]
    zero: float


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


class _Points(NamedTuple):
    x: tuple[float, ...]
    y: tuple[float, ...]


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


def learning_plots(
    histories: Mapping[str, Sequence[pd.DataFrame]], labels: Mapping[str, str], primary: str
) -> list[Plot]:
    """Validation over the epochs, the mean over the runs of each candidate; the first of them have colours."""
    titles = {"val_loss": "Loss on validation"}
    if primary != "log_loss":
        titles[f"val_{primary}"] = f"{primary.replace('_', ' ').capitalize()} on validation"
    plots = []
    for column, title in titles.items():
        lines = [
            Line(labels[name], *_mean_curve(runs, column), min(place, OTHERS))
            for place, (name, runs) in enumerate(histories.items())
        ]
        lines = [line for line in lines if line.x]
        if lines:
            unit = "cross-entropy (nats)" if column == "val_loss" else "score"
            summary = f"{title} of {len(lines)} candidates over the epochs, mean over their runs."
            # What has a colour lies over what is grey.
            plots.append(Plot(title, summary, "epoch", unit, tuple(reversed(lines)), legend="beside"))
    return plots


def effect_plots(effects: Effects) -> list[EffectPlot]:
    """The effects on the primary metric, one plot for each axis, all on one scale around 0."""
    known = [effect for effect in effects.on_primary if not np.isnan(effect.low)]
    ends = [end for effect in known for end in (effect.low, effect.high)]
    ends += [effect.difference for effect in effects.on_primary]
    if not ends:
        return []
    reach = max(max(abs(end) for end in ends) * 1.05, 1e-6)
    scale = Axis(-reach, reach, 0.0, 100.0, False)
    by_axis: dict[str, list[Effect]] = {}
    for effect in effects.on_primary:
        by_axis.setdefault(effect.axis, []).append(effect)
    return [
        EffectPlot(axis, found[0].reference, [_bar(effect, scale) for effect in found], scale.ticks(), 50.0)
        for axis, found in by_axis.items()
    ]


def _bar(effect: Effect, scale: Axis) -> EffectBar:
    low, high = (effect.difference if np.isnan(end) else end for end in (effect.low, effect.high))
    left, middle, right = scale.place(np.array([low, effect.difference, high])).tolist()
    interval = "" if np.isnan(effect.low) else f" [{change_text(effect.low)}, {change_text(effect.high)}]"
    return EffectBar(
        effect.level, effect.backbone, effect.backbone == ALL_BACKBONES, effect.pairs, round(left, 2),
        round(right - left, 2), round(middle, 2), f"{change_text(effect.difference)}{interval}", effect.verdict,
    )  # fmt: skip


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


def _mean_curve(runs: Sequence[pd.DataFrame], column: str) -> _Points:
    """Epochs and the mean over the runs that reached them; empty where no run knows the column."""
    known = [run.set_index("epoch")[column] for run in runs if column in run]
    if not known:
        return _Points((), ())
    mean = pd.concat(known, axis=1).mean(axis=1).dropna()
    mean = mean.iloc[np.unique(np.linspace(0, len(mean) - 1, min(len(mean), _MOST_POINTS)).astype(np.int64))]
    return _Points(tuple(mean.index.to_numpy(np.float64).tolist()), tuple(mean.to_numpy(np.float64).tolist()))


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
