"""The figures of a sweep: intervals, learning curves, effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.board.effects import ALL_BACKBONES, Effect, Effects
from benchmark.board.markdown import interval_text, range_text
from benchmark.board.sentences import change_text
from benchmark.board.table import Leaderboard
from benchmark.report.drawing import Axis, Tick
from benchmark.report.plots import OTHERS, Dots, Line, Mark, Plot, Span

ROWS = 60
"""Of a figure with a row for each candidate or effect."""
_MOST_POINTS = 200
"""Of one curve; longer ones are thinned evenly."""


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


class _Points(NamedTuple):
    x: tuple[float, ...]
    y: tuple[float, ...]


def learning_plots(
    histories: Mapping[str, Sequence[pd.DataFrame]], labels: Mapping[str, str], primary: str
) -> dict[str, Plot]:
    """Validation over the epochs by the metric's column, mean over the runs of a candidate; the first have colours."""
    titles = {"val_loss": "Loss on validation"}
    if primary != "log_loss":
        titles[f"val_{primary}"] = f"{primary.replace('_', ' ').capitalize()} on validation"
    plots = {}
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
            plots[column] = Plot(title, summary, "epoch", unit, tuple(reversed(lines)), legend="beside")
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


def forest_figure(board: Leaderboard, labels: Mapping[str, str]) -> Plot:
    """The scores of the ranked rows with their intervals and the places they may hold."""
    name, rows = f"test_{board.primary}", board.ranked.head(ROWS).to_dict("records")
    few = f", the first {ROWS} of {len(board.ranked)}" if len(board.ranked) > ROWS else ""
    dots = [
        _intervals(
            title,
            [place for place, row in enumerate(rows) if bool(row["tied_with_best"]) is tied],
            [(row[name], row[f"{name}_low"], row[f"{name}_high"]) for row in rows],
            [interval_text(row[name], row[f"{name}_low"], row[f"{name}_high"]) for row in rows],
            colour,
        )
        for title, tied, colour in (("tied with the best", True, 0), ("not tied", False, OTHERS))
    ]
    words = board.primary.replace("_", " ")
    names = (f"{range_text(row['rank_low'], row['rank_high'])}  {labels[row['candidate']]}" for row in rows)
    return Plot(
        f"Possible places and {words}{few}", f"{words} on the test pictures with 95 % intervals, {len(rows)} rows.",
        f"{words}, 95 % interval", "", dots=tuple(one for one in dots if one.x), y_names=tuple(names),
    )  # fmt: skip


def effect_figures(effects: Effects) -> dict[str, Plot]:
    """The effects on the primary metric, a plot for each axis, by its name."""
    by_axis: dict[str, list[Effect]] = {}
    for effect in effects.on_primary:
        by_axis.setdefault(effect.axis, []).append(effect)
    return {axis: _effect_figure(found, effects.primary.replace("_", " ")) for axis, found in by_axis.items()}


def _effect_figure(found: Sequence[Effect], words: str) -> Plot:
    shown = found[:ROWS]
    axis, few = found[0].axis.replace("_", " "), f", the first {ROWS} of {len(found)}" if len(found) > ROWS else ""
    colours = {"better": 2, "worse": 1, "cannot tell": OTHERS, "same answers": OTHERS}
    dots = [
        _intervals(
            verdict,
            [place for place, effect in enumerate(shown) if effect.verdict == verdict],
            [(effect.difference, *_ends(effect)) for effect in shown],
            [change_text(effect.difference) for effect in shown],
            colour,
        )
        for verdict, colour in colours.items()
    ]
    return Plot(
        f"What {axis} changes, against {found[0].reference}{few}",
        f"Differences in {words} with 95 % intervals, all together; right of 0 is better.",
        f"difference in {words}, 95 % interval", "", dots=tuple(one for one in dots if one.x),
        marks=(Mark(0.0, "no difference"),), y_names=tuple(f"{one.level}, {one.backbone}" for one in shown),
    )  # fmt: skip


def _intervals(
    name: str, places: Sequence[int], values: Sequence[tuple[float, float, float]], texts: Sequence[str], colour: int
) -> Dots:
    """Markers with intervals (middle, low, high) in some of the rows of a plot with names."""
    chosen = [(place, *values[place]) for place in places]
    return Dots(
        name,
        tuple(float(middle) for _, middle, _, _ in chosen),
        tuple(float(place) for place in places),
        tuple(texts[place] for place in places),
        colour,
        tuple(Span(float(low), place, float(high), place) for place, _, low, high in chosen),
    )


def _ends(effect: Effect) -> tuple[float, float]:
    """The interval, or the difference twice where there is none."""
    return (effect.difference, effect.difference) if np.isnan(effect.low) else (effect.low, effect.high)


def _bar(effect: Effect, scale: Axis) -> EffectBar:
    low, high = _ends(effect)
    left, middle, right = scale.place(np.array([low, effect.difference, high])).tolist()
    interval = "" if np.isnan(effect.low) else f" [{change_text(effect.low)}, {change_text(effect.high)}]"
    return EffectBar(
        effect.level, effect.backbone, effect.backbone == ALL_BACKBONES, effect.pairs, round(left, 2),
        round(right - left, 2), round(middle, 2), f"{change_text(effect.difference)}{interval}", effect.verdict,
    )  # fmt: skip


def _mean_curve(runs: Sequence[pd.DataFrame], column: str) -> _Points:
    """Epochs and the mean over the runs that reached them; empty where no run knows the column."""
    known = [run.set_index("epoch")[column] for run in runs if column in run]
    if not known:
        return _Points((), ())
    mean = pd.concat(known, axis=1).mean(axis=1).dropna()
    mean = mean.iloc[np.unique(np.linspace(0, len(mean) - 1, min(len(mean), _MOST_POINTS)).astype(np.int64))]
    return _Points(tuple(mean.index.to_numpy(np.float64).tolist()), tuple(mean.to_numpy(np.float64).tolist()))
