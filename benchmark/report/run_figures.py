"""The figures of one run, from its history and predictions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.board.sentences import score_text
from benchmark.metrics import confusion, ece
from benchmark.predictions import Predictions
from benchmark.report.abstention import coverage, reliability
from benchmark.report.class_report import ClassReport, Shares
from benchmark.report.page import counted
from benchmark.report.plots import OTHERS, Dots, Heat, Line, Mark, Plot, Span

CLASSES = 40
"""Classes in a figure; of more, those with the most errors."""


def learning_curves(history: pd.DataFrame, primary: str, best_epoch: int | None) -> dict[str, Plot]:
    """Loss and metrics over the epochs; training without the classes' weights, so that both can be compared."""
    epochs = tuple(history["epoch"].to_numpy(np.float64).tolist())
    marks = (Mark(float(best_epoch), f"epoch {best_epoch} was kept"),) if best_epoch else ()

    def line(name: str, column: str, colour: int, dashed: bool = False) -> tuple[Line, ...]:
        if column not in history:
            return ()
        return (Line(name, epochs, tuple(history[column].to_numpy(np.float64).tolist()), colour, dashed, marked=True),)

    loss = (*line("training", "train_loss", 0), *line("validation", "val_loss", 1))
    accuracy = (*line("training", "train_accuracy", 0), *line("validation", "val_accuracy", 1))
    others = () if primary == "accuracy" else line(f"validation {_words(primary)}", f"val_{primary}", 2, dashed=True)
    over = counted(len(epochs), "epoch")
    return {
        "loss": Plot(
            "Loss over the epochs",
            f"Cross-entropy of training, unweighted, and validation over {over}; {_last(loss)}",
            "epoch", "cross-entropy (nats)", loss, marks=marks,
        ),
        "metrics": Plot(
            "Accuracy over the epochs",
            f"Accuracy of training and validation over {over}; {_last(accuracy)}",
            "epoch", "share right", accuracy + (others if primary != "log_loss" else ()), marks=marks,
        ),
    }  # fmt: skip


def confusion_figures(predictions: Predictions) -> dict[str, Heat]:
    """Truth against guess: counts, and shares of each true class."""
    counts = confusion(predictions)
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.full(counts.shape, np.nan), where=support > 0)
    errors = support[:, 0] + counts.sum(axis=0) - 2 * np.diag(counts)
    kept = np.sort(np.argsort(-errors, kind="stable")[:CLASSES])
    chosen = np.ix_(kept, kept)
    names = tuple(predictions.classes[place] for place in kept)
    more = f"; the {CLASSES} classes with the most errors of {len(errors)}" if len(errors) > CLASSES else ""
    summary = f"{int(np.diag(counts).sum())} of {int(counts.sum())} pictures are on the diagonal, which is right{more}."
    count_texts = tuple(tuple(str(count) for count in row) for row in counts[chosen].tolist())
    share_texts = tuple(tuple(share_cell(share) for share in row) for row in shares[chosen].tolist())
    axes = ("true class", "guess", names, names, shares[chosen])
    return {
        "confusion": Heat("Confusion: pictures", summary, *axes, count_texts),
        "confusion_shares": Heat("Confusion: shares of the true class", summary, *axes, share_texts),
    }


def class_figure(report: ClassReport) -> Plot:
    """Precision, recall and F1 of every class with intervals; the classes that are known worst come first."""
    worst = np.argsort(np.nan_to_num(report.f1.value, nan=2.0), kind="stable")[:CLASSES]
    names = tuple(f"{report.classes[place]} ({report.support[place]})" for place in worst)
    series: Mapping[str, Shares] = {"precision": report.precision, "recall": report.recall, "F1": report.f1}
    dots = tuple(
        _class_dots(name, shares, worst, offset, colour)
        for (name, shares), offset, colour in zip(series.items(), (-0.22, 0.0, 0.22), (0, 1, 2), strict=True)
    )
    few = f", the {CLASSES} lowest of {len(report.classes)}" if len(report.classes) > CLASSES else ""
    lowest = f"lowest F1: {report.classes[worst[0]]}" if len(worst) else "no classes"
    return Plot(
        f"Classes (test pictures){few}", f"Precision, recall and F1 with 95 % intervals, lowest F1 first; {lowest}.",
        "share, 95 % interval", "", dots=dots, x_range=(-0.02, 1.02), y_names=names,
    )  # fmt: skip


def confidence_figures(predictions: Predictions) -> dict[str, Plot]:
    """Whether confidence can be believed, and what remains above a threshold."""
    bins, curve = reliability(predictions), coverage(predictions)
    error = ece(predictions)
    xs, ys = (tuple(values.tolist()) for values in (bins.confidence, bins.accuracy))
    spans = tuple(Span(x, low, x, high) for x, low, high in zip(xs, bins.low.tolist(), bins.high.tolist(), strict=True))
    texts = tuple(
        f"{count} pictures: confidence {score_text(x)}, right {score_text(y)}"
        for count, x, y in zip(bins.pictures.tolist(), xs, ys, strict=True)
    )
    steps = tuple(curve.threshold.tolist())
    unit = (-0.02, 1.02)
    return {
        "reliability": Plot(
            f"Reliability: ECE {score_text(error)}",
            f"Share of right answers against confidence; on the diagonal both agree. ECE {score_text(error)}.",
            "confidence", "share right, 95 % interval", (Line("as confident as right", (0, 1), (0, 1), OTHERS, True),),
            (Dots("bins of confidence", xs, ys, texts, 0, spans),), x_range=unit, y_range=unit,
        ),
        "coverage": Plot(
            "If it may say “I don't know”",
            "Share of pictures that are answered, and share of right answers among them, by the lowest confidence "
            "that counts as an answer.",
            "lowest confidence that is an answer", "share",
            (
                Line("answered", steps, tuple(curve.coverage.tolist()), 1, dashed=True),
                Line("right among the answered", steps, tuple(curve.accuracy.tolist()), 0),
            ),
            x_range=unit, y_range=unit,
        ),
    }  # fmt: skip


def share_cell(share: float) -> str:
    """`.93`, `1`, `0`, or nothing for what is unknown."""
    if np.isnan(share):
        return ""
    if share in (0.0, 1.0):
        return f"{share:.0f}"
    return f"{min(max(share, 0.01), 0.99):.2f}"[1:]


def _class_dots(
    name: str, shares: Shares, order: npt.NDArray[np.int64], offset: float, colour: int
) -> Dots:  # fmt: skip
    """One of the three shares of each class, a little beside the class's line."""
    known = [(row, int(place)) for row, place in enumerate(order) if not np.isnan(shares.value[place])]
    ys = tuple(row + offset for row, _ in known)
    values, lows, highs = ([float(ends[place]) for _, place in known] for ends in shares)
    texts = tuple(
        f"{name} {score_text(value)} [{score_text(low)}, {score_text(high)}]"
        for value, low, high in zip(values, lows, highs, strict=True)
    )
    spans = tuple(Span(low, y, high, y) for low, high, y in zip(lows, highs, ys, strict=True))
    return Dots(name, tuple(values), ys, texts, colour, spans)


def _last(lines: tuple[Line, ...]) -> str:
    """Where the lines end, in words."""
    return ", ".join(f"{line.name} ends at {line.y[-1]:.3g}" for line in lines if line.y) + "."


def _words(metric: str) -> str:
    return metric.replace("_", " ")
