"""The page and the figures of one run, from what lies in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark import store
from benchmark.board.sentences import score_text
from benchmark.predictions import Predictions
from benchmark.records import RunRecord
from benchmark.report import gallery, gradcam
from benchmark.report.abstention import Threshold, thresholds
from benchmark.report.class_report import ClassReport, class_report, classes_csv
from benchmark.report.figure_files import require_format, write_figures
from benchmark.report.page import render
from benchmark.report.pictures import Pictures, embedded, pictures_of
from benchmark.report.plots import Heat, Plot
from benchmark.report.run_figures import (
    class_figure,
    confidence_figures,
    confusion_figures,
    learning_curves,
)
from benchmark.report.svg import svg
from benchmark.spec import RunSpec, flatten

PAGE = "index.html"
DOUBTS = 24
"""Pictures whose labels are questioned; more are counted."""

_LAST_FIGURE = "coverage"


def write(directory: Path, record: RunRecord, format: str) -> list[Path]:
    """Write a finished run's figures/, classes.csv, errors.csv and index.html; the files, nothing for other runs.

    Args:
        directory: the sweep's folder.
        record: the run's.
        format: of the figures' files: svg, png or pdf.

    Raises:
        ConfigurationError: another format.
        BrokenRecord: a file of the run is not what was written.
    """
    known = require_format(format)
    if not record.finished:
        return []
    run = store.run_directory(directory, record.run_id)
    test = store.load_predictions(directory, record.run_id)
    report = class_report(test)
    figures = _figures(run, record, test, report)
    pictures = pictures_of(directory, record)
    wrong = gallery.errors(test, pictures)
    files = write_figures(run / "figures", figures, known)
    texts = {
        "classes.csv": classes_csv(report),
        "errors.csv": gallery.errors_csv(wrong),
        PAGE: _page(directory, record, test, report, figures, wrong, pictures),
    }
    for name, text in texts.items():
        store.write_text(run / name, text)
    return [*files, *(run / name for name in texts)]


def has_page(directory: Path, record: RunRecord) -> bool:
    """Whether the run's page is there and no older than its result."""
    return _is_fresh(directory, record, PAGE)


def is_written(directory: Path, record: RunRecord, format: str) -> bool:
    """Whether the run's page is there with figures of this format, all no older than its result."""
    return has_page(directory, record) and _is_fresh(directory, record, f"figures/{_LAST_FIGURE}.{format}")


def _is_fresh(directory: Path, record: RunRecord, name: str) -> bool:
    run = store.run_directory(directory, record.run_id)
    file, result = run / name, run / "record.json"
    return file.exists() and file.stat().st_mtime_ns >= result.stat().st_mtime_ns


def _figures(run: Path, record: RunRecord, test: Predictions, report: ClassReport) -> dict[str, Plot | Heat]:
    """All figures by the names of their files."""
    figures: dict[str, Plot | Heat] = {}
    history = load_history(run)
    if history is not None:
        figures |= learning_curves(history, record.primary, record.cost.best_epoch if record.cost else None)
    return figures | confusion_figures(test) | {"classes": class_figure(report)} | confidence_figures(test)


def load_history(run: Path) -> pd.DataFrame | None:
    """The epochs of the run in this folder; None for a run that trained nothing.

    Raises:
        BrokenRecord: the file is not what the run wrote.
    """
    path = run / "history.csv"
    if not path.exists():
        return None
    try:
        history = pd.read_csv(path)
        history["epoch"] = history["epoch"].astype(np.int64)
    except (OSError, ValueError, KeyError) as error:
        raise store.BrokenRecord(
            f"found no epochs in {path} ({error}); expected the file that the run wrote: delete the folder {run} and "
            "give the sweep's command again"
        ) from error
    return history if len(history) else None


def _page(
    directory: Path, record: RunRecord, test: Predictions, report: ClassReport,
    figures: Mapping[str, Plot | Heat], wrong: list[gallery.Item], pictures: Pictures,
) -> str:  # fmt: skip
    run = store.run_directory(directory, record.run_id)
    right = gallery.right_sample(test, pictures)
    doubts = gallery.label_doubts(test, pictures) if _has_learnt(report) else None
    return render(
        "run.html.j2",
        record=record,
        pictures=len(test.truth),
        wrong=len(wrong),
        scores=[(name, score_text(value), _validation(record, name)) for name, value in record.test.items()],
        plots={name: svg(figure) for name, figure in figures.items() if isinstance(figure, Plot)},
        heats={name: figure for name, figure in figures.items() if isinstance(figure, Heat)},
        report=report,
        thresholds=_thresholds(directory, record, test),
        errors=gallery.show(wrong[: gallery.ERRORS], pictures, run / PAGE),
        doubts=None if doubts is None else gallery.show(doubts[:DOUBTS], pictures, run / PAGE),
        doubted=len(doubts or ()),
        right=gallery.show(right, pictures, run / PAGE),
        classes_right=len(np.unique(test.truth[test.guess == test.truth])),
        is_network=isinstance(record.spec, RunSpec),
        heat=_heat(run, record, pictures),
        heat_run=gradcam.kept_by(directory, record.candidate),
        spec=_spec(record),
        **_extras(run),
    )


def _validation(record: RunRecord, name: str) -> str:
    return score_text(record.val[name]) if name in record.val else ""


def _has_learnt(report: ClassReport) -> bool:
    """Whether the balanced accuracy is above that of guessing one class, by its 95 % interval."""
    classes = int((report.support > 0).sum())
    return classes > 0 and report.averages[0].recall[1] > 1 / classes


def _thresholds(directory: Path, record: RunRecord, test: Predictions) -> tuple[Threshold, ...]:
    """Thresholds chosen on the validation pictures, where their predictions are at hand."""
    run = store.run_directory(directory, record.run_id)
    if not (run / store.SPLIT_FILES["val"]).exists():
        return ()
    return thresholds(store.load_predictions(directory, record.run_id, "val"), test)


def _heat(run: Path, record: RunRecord, pictures: Pictures) -> gradcam.Overlays | None:
    if pictures.manifest is None or not isinstance(record.spec, RunSpec):
        return None
    return gradcam.overlays(run, pictures.manifest, record.spec.dataset.resize)


def _spec(record: RunRecord) -> dict[str, Any]:
    return flatten(record.spec.model_dump(mode="json"))


def _extras(run: Path) -> dict[str, str]:
    """What the training left beside the result, if it did."""
    found: dict[str, Callable[[Path], str]] = {
        "architecture.txt": lambda path: path.read_text("utf-8", errors="replace"),
        "augmentation.png": embedded,
    }
    return {name.partition(".")[0]: read(run / name) if (run / name).exists() else "" for name, read in found.items()}
