"""report.html: a whole sweep in one file that needs no network, from what lies in the sweep's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmark import store
from benchmark.board import leaderboard
from benchmark.board.candidates import Candidate, fold_of, gather
from benchmark.board.costs import costs, with_prices
from benchmark.board.effects import Effects, find_effects
from benchmark.board.table import Leaderboard
from benchmark.errors import ConfigurationError
from benchmark.predictions import Predictions
from benchmark.records import RunRecord
from benchmark.report import board_table, cost_figures, run, sweep_facts, sweep_figures
from benchmark.report.figure_files import require_format, write_figures
from benchmark.report.labels import candidate_labels, in_labels
from benchmark.report.page import render
from benchmark.report.panel import members, poll
from benchmark.report.pictures import Pictures, pictures_of
from benchmark.report.plots import OTHERS, Heat, Plot
from benchmark.report.svg import svg
from benchmark.report.verdicts import PanelSection, panel_section
from benchmark.store import Survey

PAGE = "report.html"
LEVELS = ("none", "board", "full")

_CACHE_BYTES = 5 * 10**8
_RECALL_ROWS = 300


class Written(NamedTuple):
    """The report and the pages of runs that were written."""

    report: Path | None
    pages: list[Path]


class Report(NamedTuple):
    """The page, and its figures by the names of their files."""

    page: str
    figures: dict[str, Plot | Heat]


class _Results:
    """Predictions of a sweep's runs; kept after the first reading while they are small enough."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._kept: dict[str, Predictions] = {}
        self._bytes = 0

    def load(self, record: RunRecord) -> Predictions:
        """What the run said about the test pictures."""
        if record.run_id in self._kept:
            return self._kept[record.run_id]
        found = store.load_predictions(self._directory, record.run_id)
        size = found.probabilities.nbytes + found.images.nbytes + found.groups.nbytes + found.truth.nbytes
        if self._bytes + size <= _CACHE_BYTES:
            self._kept[record.run_id] = found
            self._bytes += size
        return found


def write(
    directory: Path, level: str, format: str = "svg", board: Leaderboard | None = None, pages_of_runs: bool = True
) -> Written:
    """Write report.html, with level `full` also its figures/, and the page and figures of every run that has none yet.

    Args:
        directory: the sweep's folder.
        level: none, board or full.
        format: of the files of figures: svg, png or pdf.
        board: the sweep's leaderboard if it is at hand, which saves building it again.
        pages_of_runs: False leaves the pages of runs to somebody else.

    Raises:
        ConfigurationError: another level or format.
        NoSuchSweep: the folder is not there.
        NotComparable, AmbiguousCandidate, MissingImages: as the leaderboard.
    """
    if level not in LEVELS:
        raise ConfigurationError(f"found report.level={level}; expected {', '.join(LEVELS)}: set it to one of them")
    known = require_format(format)
    if level == "none":
        return Written(None, [])
    found = store.survey(directory)
    pages = []
    if level == "full" and pages_of_runs:
        for record in found.records:
            if record.finished and not run.is_written(directory, record, format):
                pages += [path for path in run.write(directory, record, format) if path.name == run.PAGE]
    path, report = directory / PAGE, draw(directory, found, board)
    store.write_text(path, report.page)
    if level == "full":
        write_figures(directory / "figures", report.figures, known)
    return Written(path, pages)


def draw(directory: Path, found: Survey, board: Leaderboard | None = None) -> Report:
    """The report of what lies in the sweep's folder."""
    records = found.records
    primary = records[0].primary if records else "accuracy"
    results = _Results(directory)
    board = board or leaderboard.build(records, results.load, primary)
    candidates = {one.name: one for one in gather(records, primary)}
    labels = candidate_labels(board.table)
    pictures = pictures_of(directory)
    pages = frozenset(record.run_id for record in records if record.finished and run.has_page(directory, record))
    effects = find_effects(records, results.load, primary) if records else None
    prices = costs(records, board)
    rows = board_table.rows(board, prices, candidates, labels, pages)
    pareto = cost_figures.pareto_plots(board, prices, labels)
    panel = _panel(candidates, board, results, labels, pictures)
    curves = _learning(directory, candidates, board, labels)
    text = render(
        "report.html.j2",
        name=directory.resolve().name,
        sentences=[in_labels(sentence, labels) for sentence in with_prices(board.sentences, prices)],
        remarks=_remarks(effects, labels),
        board=board,
        columns=board_table.columns(board, rows),
        rows=rows,
        forest=board_table.forest(board, labels),
        pareto=[svg(plot) for plot in pareto.values()],
        priced=cost_figures.price_table(board, prices, labels),
        effects=effects,
        effect_plots=sweep_figures.effect_plots(effects) if effects else [],
        recall_effects=_recall_effects(effects),
        panel=panel,
        curves=_curves(list(curves.values())),
        data=None if pictures.manifest is None else sweep_facts.data_facts(pictures.manifest),
        folds=len({fold_of(record) for record in records}),
        fingerprint=records[0].fingerprint if records else "",
        failures=sweep_facts.failed_runs(directory, records, found.broken),
        states=sweep_facts.states(records),
        spent=sweep_facts.spent(records),
        environments=sweep_facts.environments(records),
        commands=_commands(board, candidates, labels),
        results=directory.resolve().parent.name,
    )
    figures: dict[str, Plot | Heat] = (
        {"intervals": sweep_figures.forest_figure(board, labels)} if len(board.ranked) else {}
    )
    if effects:
        figures |= {f"effects_{axis}": plot for axis, plot in sweep_figures.effect_figures(effects).items()}
    figures |= {f"score_by_{cost}": plot for cost, plot in pareto.items()}
    figures |= panel.heats if panel else {}
    return Report(text, figures | {f"learning_{column}": _alone(plot) for column, plot in curves.items()})


def _panel(
    candidates: Mapping[str, Candidate], board: Leaderboard, results: _Results, labels: Mapping[str, str],
    pictures: Pictures,
) -> PanelSection | None:  # fmt: skip
    """What the candidates said about single pictures and classes; None without any result."""
    order = board.table["candidate"].tolist()
    asked = members(list(candidates.values()), order)
    if not asked:
        return None
    return panel_section(poll(asked, results.load), board, labels, pictures)


class _Curves(NamedTuple):
    """Learning curves, and the names of their series with their colours."""

    plots: list[str]
    legend: list[tuple[str, int]]


def _learning(
    directory: Path, candidates: Mapping[str, Candidate], board: Leaderboard, labels: Mapping[str, str]
) -> dict[str, Plot]:
    histories = {}
    for name in board.table["candidate"]:
        runs = [record for record in candidates[name].records if record.finished]
        read = [run.load_history(store.run_directory(directory, record.run_id)) for record in runs]
        known = [history for history in read if history is not None]
        if known:
            histories[name] = known
    return sweep_figures.learning_plots(histories, labels, board.primary)


def _curves(plots: Sequence[Plot]) -> _Curves:
    legend = [(line.name, line.colour) for line in reversed(plots[0].lines)] if plots else []
    return _Curves([svg(plot) for plot in plots], legend)


def _alone(plot: Plot) -> Plot:
    """The plot with a legend of its own, of what has a colour."""
    lines = tuple(line._replace(name="") if line.colour == OTHERS else line for line in plot.lines)
    return plot._replace(lines=lines, legend="inside")


class _Remarks(NamedTuple):
    """What is said of effects, and of choices that could not be judged."""

    said: list[str]
    gaps: list[str]


def _remarks(effects: Effects | None, labels: Mapping[str, str]) -> _Remarks:
    sentences = [in_labels(sentence, labels) for sentence in effects.sentences] if effects else []
    gaps = [sentence for sentence in sentences if sentence.startswith(("Left out of ", "No pair for "))]
    return _Remarks([sentence for sentence in sentences if sentence not in gaps], gaps)


def _recall_effects(effects: Effects | None) -> list[Any]:
    """Effects on recalls, those that can be told from none first."""
    if effects is None:
        return []
    told = sorted(effects.on_recall, key=lambda one: one.verdict not in ("better", "worse"))
    return list(told[:_RECALL_ROWS])


def _commands(
    board: Leaderboard, candidates: Mapping[str, Candidate], labels: Mapping[str, str]
) -> list[tuple[str, Sequence[RunRecord]]]:
    """For each trained row the runs with their commands."""
    return [
        (labels[name], candidates[name].records)
        for name in board.table["candidate"]
        if not candidates[name].is_baseline
    ]
