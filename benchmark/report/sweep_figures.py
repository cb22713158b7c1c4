"""The figures of a sweep: score against cost, learning curves, effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.board.candidates import Candidate
from benchmark.board.effect_tables import signed
from benchmark.board.effects import ALL_BACKBONES, Effect, Effects
from benchmark.board.pareto import front
from benchmark.board.sentences import score_text
from benchmark.board.table import Leaderboard
from benchmark.metrics import find
from benchmark.report.board_table import latency, mean_cost
from benchmark.report.drawing import Axis, Tick
from benchmark.report.plots import OTHERS, Dots, Line, Plot, Span

_MOST_POINTS = 200
"""Of one curve; longer ones are thinned evenly."""
_FRONT_LABELS = 6
_MOST_SPANS = 20
"""With more points only those on the front have their intervals drawn."""


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


class _Cost(NamedTuple):
    title: str
    label: str
    read: Callable[[Mapping[str, Any], Candidate], float | None]


_COSTS = (
    _Cost("trainable parameters", "trainable parameters", lambda row, _: _known(row["trainable_parameters"])),
    _Cost("operations", "floating-point operations a picture", lambda row, _: _known(row["flops"])),
    _Cost("latency", "milliseconds a picture (median, one at a time)", lambda _, one: latency(one, "batch_1_p50")),
    _Cost("training", "seconds of training, mean over runs", lambda _, one: mean_cost(one, "seconds_train")),
)


def pareto_plots(board: Leaderboard, candidates: Mapping[str, Candidate], labels: Mapping[str, str]) -> list[Plot]:
    """The score against each cost that is known; the front is what nothing beats in both."""
    ranked: list[dict[str, Any]] = [
        {str(key): value for key, value in row.items()} for row in board.ranked.to_dict("records")
    ]
    plots = []
    for cost in _COSTS:
        known = [(row, cost.read(row, candidates[row["candidate"]])) for row in ranked]
        points = [(row, value) for row, value in known if value is not None and value > 0]
        if points:
            plots.append(_pareto(cost, points, board.primary, labels))
    return plots


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
    interval = "" if np.isnan(effect.low) else f" [{signed(effect.low)}, {signed(effect.high)}]"
    return EffectBar(
        effect.level, effect.backbone, effect.backbone == ALL_BACKBONES, effect.pairs, round(left, 2),
        round(right - left, 2), round(middle, 2), f"{signed(effect.difference)}{interval}", effect.verdict,
    )  # fmt: skip


def _pareto(
    cost: _Cost, points: Sequence[tuple[Mapping[str, Any], float]], primary: str, labels: Mapping[str, str]
) -> Plot:
    name = f"test_{primary}"
    sign = 1.0 if find(primary).higher_is_better else -1.0
    scores = [float(row[name]) for row, _ in points]
    values = [value for _, value in points]
    on_front = front([sign * score for score in scores], np.array(values)[:, None])

    def dots(title: str, chosen: npt.NDArray[np.bool_], colour: int, labelled: int) -> Dots:
        kept = [place for place in range(len(points)) if chosen[place]]
        rows = [points[place][0] for place in kept]
        return Dots(
            title,
            tuple(values[place] for place in kept),
            tuple(scores[place] for place in kept),
            tuple(
                f"{row['rank']} {labels[row['candidate']]}: {score_text(scores[place])} at {values[place]:,.4g}"
                for row, place in zip(rows, kept, strict=True)
            ),
            colour,
            tuple(
                Span(values[place], float(row[f"{name}_low"]), values[place], float(row[f"{name}_high"]))
                for row, place in zip(rows, kept, strict=True)
                if len(points) <= _MOST_SPANS or colour != OTHERS
            ),
            _places(
                [(values[place], scores[place], row["rank"]) for row, place in zip(rows, kept, strict=True)], labelled
            ),
        )

    ends = sorted((values[place], scores[place]) for place in np.flatnonzero(on_front).tolist())
    best = ", ".join(labels[points[place][0]["candidate"]] for place in np.flatnonzero(on_front).tolist()[:3])
    return Plot(
        f"Score against {cost.title}",
        f"{len(points)} candidates; {int(on_front.sum())} on the front, such as {best}.",
        cost.label,
        primary.replace("_", " "),
        (Line("", tuple(end[0] for end in ends), tuple(end[1] for end in ends), 1, dashed=True),),
        (dots("beaten by another", ~on_front, OTHERS, 0), dots("on the front", on_front, 1, _FRONT_LABELS)),
        x_logarithmic=max(values) / min(values) > 6,
    )


def _mean_curve(runs: Sequence[pd.DataFrame], column: str) -> _Points:
    """Epochs and the mean over the runs that reached them; empty where no run knows the column."""
    known = [run.set_index("epoch")[column] for run in runs if column in run]
    if not known:
        return _Points((), ())
    mean = pd.concat(known, axis=1).mean(axis=1).dropna()
    mean = mean.iloc[np.unique(np.linspace(0, len(mean) - 1, min(len(mean), _MOST_POINTS)).astype(np.int64))]
    return _Points(tuple(mean.index.to_numpy(np.float64).tolist()), tuple(mean.to_numpy(np.float64).tolist()))


def _places(points: Sequence[tuple[float, float, int]], most: int) -> tuple[str, ...]:
    """A label for each point: its place on the board; points at one spot share that of the first of them."""
    spots: dict[tuple[float, float], list[int]] = {}
    for value, score, rank in points:
        spots.setdefault((value, round(score, 3)), []).append(rank)
    shared = {spot: ", ".join(map(str, ranks)) for spot, ranks in list(spots.items())[:most]}
    return tuple(shared.pop((value, round(score, 3)), "") for value, score, _ in points)


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
