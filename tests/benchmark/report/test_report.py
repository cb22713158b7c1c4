import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import load_leaderboard, store
from benchmark.board import leaderboard
from benchmark.errors import ConfigurationError
from benchmark.predictions import Predictions
from benchmark.report import sweep as report
from benchmark.report import sweep_facts
from benchmark.report.page import shown
from benchmark.report.plots import Plot
from benchmark.store import NoSuchSweep

HOSTILE = '<img src=x onerror="alert(1)">'
MEGABYTE = 10**6


def page_of(sweep: Any) -> str:
    found = report.write(sweep.directory, "board").report
    assert found is not None
    return found.read_text("utf-8")


def test_the_report_holds_every_section(sweep: Any, read: Callable[[str], Any]) -> None:
    page = read(page_of(sweep))
    titles = (
        "Board", "Intervals", "Effects: what a choice changes", "Score and cost", "Classes", "What is taken for what",
        "Pictures that nobody gets right", "Labels to look at", "Agreement", "Learning", "Data", "Cost", "Failures",
        "Environment", "Run again",
    )  # fmt: skip
    assert all(title in page.text for title in titles)
    board = leaderboard.build(
        sweep.records(), lambda one: store.load_predictions(sweep.directory, one.run_id), "balanced_accuracy"
    )
    assert board.sentences[0] in page.text
    assert "SIGKILL: found the worker gone" in page.text
    assert "python -m benchmark backbone=lenet seed=0" in page.text
    assert "truncated" in page.text


def test_the_report_asks_for_nothing_from_outside(sweep: Any, read: Callable[[str], Any]) -> None:
    text = page_of(sweep)
    page = read(text)
    assert all(source.startswith("data:") for source in page.values("src"))
    assert all(re.match(r"#|runs/[\w-]+/(index\.html|log\.txt)$|data:,", link) for link in page.values("href"))
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


def test_every_link_of_the_full_report_leads_somewhere(sweep: Any, read: Callable[[str], Any]) -> None:
    written = report.write(sweep.directory, "full")
    assert len(written.pages) == 5
    page = read((sweep.directory / "report.html").read_text("utf-8"))
    links = [link for link in page.values("href") if link.endswith("index.html")]
    assert len(links) == 5
    assert all((sweep.directory / link).is_file() for link in links)
    targets = {link[1:] for link in page.values("href") if link.startswith("#")}
    assert targets <= set(page.values("id"))
    assert report.write(sweep.directory, "full").pages == []


def test_tables_have_captions_and_drawings_have_titles(sweep: Any) -> None:
    text = page_of(sweep)
    assert text.count("<table") == text.count("<caption>")
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert drawings
    assert all('role="img"' in drawing and "<title>" in drawing and "<desc>" in drawing for drawing in drawings)


def test_hostile_names_of_classes_files_and_choices_stay_text(
    sweep_of: Any, read: Callable[[str], Any], hostile_files: tuple[str, ...]
) -> None:
    classes = (HOSTILE, "n" * 300, "חתול\u202egpj", "</script><script>alert(1)</script>", "🐈")
    sweep = sweep_of(classes, 480, hostile_files)
    sweep.add(0.0)
    sweep.add(0.1, weighting={"name": HOSTILE})
    sweep.fail(HOSTILE, backbone={"name": "lenet"})
    page = read(page_of(sweep))
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "\u202e" not in page.text
    assert "n" * 250 not in page.text
    paths = {title for title in page.values("title") if title.endswith(".png")}
    assert paths == {shown(name, 400) for name in hostile_files}


def test_the_only_script_is_the_one_that_the_policy_names(sweep: Any) -> None:
    text = page_of(sweep)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert re.search(r"script-src 'sha256-[\w+/=]{44}'", policy[1])


def test_a_sweep_of_failures_alone_has_a_report(sweep_of: Any, read: Callable[[str], Any]) -> None:
    sweep = sweep_of()
    sweep.fail("found too little memory", seeds=(0, 1))
    page = read(page_of(sweep))
    assert "No candidate is complete: there is nothing to rank." in page.text
    assert page.text.count("found too little memory") == 2
    assert "Intervals" not in page.text


def test_one_candidate_alone_has_a_report(sweep_of: Any, read: Callable[[str], Any]) -> None:
    sweep = sweep_of()
    sweep.add(0.8, seeds=(0,))
    page = read(page_of(sweep))
    assert "One candidate: there is nothing to compare it with." in page.text
    assert "Agreement" not in page.text


def test_a_class_that_is_never_guessed_has_a_report(sweep_of: Any, read: Callable[[str], Any]) -> None:
    sweep = sweep_of()
    sweep.add(0.8)
    for record in sweep.records():
        found = sweep.answers("test", 0.8, record.seed)
        guess = np.where(found.guess == 2, 0, found.guess)
        probabilities = np.where(np.eye(3)[guess] > 0, 0.8, 0.1).astype(np.float32)
        changed = Predictions(found.images, found.groups, found.truth, probabilities, found.classes)
        store.write_predictions(sweep.directory, record.run_id, "test", changed)
        store.write_record(sweep.directory, record)
    report.write(sweep.directory, "full")
    folder = store.run_directory(sweep.directory, sweep.records()[0].run_id)
    table = (folder / "index.html").read_text("utf-8").partition('<th scope="col">precision')[2]
    row = re.search(r"<bdi>cat</bdi></th>(.*?)</tr>", table, re.DOTALL)
    assert row
    precision, recall, *_ = [read(cell).text for cell in re.findall(r"<td.*?</td>", row[1], re.DOTALL)]
    assert precision == "none"
    assert recall.startswith(".000")
    assert "Recognised least: cat" in read(page_of(sweep)).text


def test_a_folder_without_any_run_has_a_report(sweep_of: Any, read: Callable[[str], Any]) -> None:
    assert "No runs yet." in read(page_of(sweep_of())).text


def test_damaged_runs_are_named_and_the_rest_is_shown(sweep: Any, read: Callable[[str], Any]) -> None:
    broken = next(record for record in sweep.records() if record.finished)
    path = store.run_directory(sweep.directory, broken.run_id) / "record.json"
    path.write_text(path.read_text("utf-8").replace('"ok"', '"OK"'), "utf-8")
    page = read(page_of(sweep))
    assert "does not fit its checksum" in page.text
    assert "Board" in page.text


def test_a_hundred_candidates_stay_far_below_fifteen_megabytes(sweep_of: Any) -> None:
    sweep = sweep_of(classes=tuple(f"class {place}" for place in range(12)), pictures=720)
    for place in range(100):
        sweep.add(0.3 + place / 200, seeds=(0,), training={"learning_rate": 0.001 * (place + 1)})
    assert MEGABYTE / 4 < len(page_of(sweep).encode()) < 5 * MEGABYTE


def test_folds_are_pooled_and_said(sweep_of: Any, read: Callable[[str], Any]) -> None:
    sweep = sweep_of()
    for fold in (0, 1):
        sweep.manifest.to_csv(sweep.directory / f"manifest-fold{fold}.csv")
        sweep.add(0.8, dataset={"split": "kfold", "folds": 2, "fold": fold})
    (sweep.directory / "manifest.csv").unlink()
    for record in sweep.records():
        whole = store.load_predictions(sweep.directory, record.run_id)
        half = np.arange(len(whole.truth)) % 2 == record.spec.dataset.fold
        parts = (whole.images[half], whole.groups[half], whole.truth[half], whole.probabilities[half])
        store.write_predictions(sweep.directory, record.run_id, "test", Predictions(*parts, whole.classes))
        store.write_record(sweep.directory, record)
    assert len(report.write(sweep.directory, "full").pages) == 4
    page = read((sweep.directory / "report.html").read_text("utf-8"))
    assert "each tested in one of 2 folds" in page.text
    assert "0 fold 1" in page.text
    assert "pooled over 2 folds" in page.text


def test_nothing_is_written_when_nothing_is_wanted(sweep: Any) -> None:
    assert report.write(sweep.directory, "none") == (None, [])
    assert not (sweep.directory / "report.html").exists()


def test_mistakes_are_said(sweep: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"found report\.level=all; expected none, board, full"):
        report.write(sweep.directory, "all")
    with pytest.raises(ConfigurationError, match=r"found figures\.format=gif"):
        report.write(sweep.directory, "board", "gif")
    with pytest.raises(NoSuchSweep, match="found no folder"):
        report.write(tmp_path / "nowhere", "board")


def test_baselines_are_no_candidates_and_the_order_of_rows_is_said(sweep: Any, read: Callable[[str], Any]) -> None:
    text = read(page_of(sweep)).text
    assert "candidates 3 2 ranked by balanced accuracy, beside 1 baseline" in text
    assert "in the order of the places they may hold and only then of their balanced accuracy" in text


def test_seconds_of_all_parts_add_up_to_those_of_all_runs(sweep: Any, read: Callable[[str], Any]) -> None:
    spent = sweep_facts.spent(sweep.records())
    assert sum(seconds for _, seconds in spent.parts) == pytest.approx(spent.total) == pytest.approx(4 * 11.0)
    assert dict(spent.parts)["rest"] == pytest.approx(4 * 0.25)
    assert "latency, heat maps, files 1.0 all 44.0" in read(page_of(sweep)).text


def test_every_marker_of_score_against_cost_has_a_number_and_the_table_its_name(
    sweep_of: Any, read: Callable[[str], Any]
) -> None:
    sweep = sweep_of()
    for place, skill in enumerate((0.9, 0.75, 0.6)):
        name = sweep.add(skill, training={"learning_rate": 0.001 * (place + 1)})
        for record in sweep.records():
            if record.candidate == name:
                size = record.parameters.model_copy(update={"trainable": 100 * 3**place})
                store.write_record(sweep.directory, record.model_copy(update={"parameters": size}))
    text = page_of(sweep)
    section = text[text.index('id="cost-benefit"') : text.index('id="classes"')]
    drawing = section[section.index("<svg") : section.index("</svg>")]
    assert drawing.count('class="spot"') == 3 + 2  # with the two in the legend
    assert re.findall(r'class="small"[^>]*>([^<]+)<', drawing) == ["2", "3", "1"]
    table = section[section.index("<tbody>") : section.index("</tbody>")]
    rows = [re.sub(r"<[^>]*>", " ", row).split() for row in table.split("</tr>")[:-1]]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert all(size in row for size, row in zip(("100", "300", "900"), rows, strict=True))
    assert table.count("<small>front</small>") == 4


def test_rows_at_one_spot_share_a_marker_that_names_two_and_counts_the_rest(sweep_of: Any) -> None:
    sweep = sweep_of()
    for place in range(4):
        sweep.add(0.8, training={"learning_rate": 0.001 * (place + 1)})
    assert ">1, 2 +2</text>" in page_of(sweep)


@pytest.mark.parametrize("format", ["svg", "pdf"])
def test_the_figures_of_the_whole_sweep_are_files_too(sweep: Any, format: str) -> None:
    report.write(sweep.directory, "full", format)
    costs = ("trainable_parameters", "flops", "latency_ms_batch_1_p50", "seconds_train_mean")
    names = {
        "intervals", "effects_weighting", "recall", "confusion_1", "confusion_2", "agreement", "learning_val_loss",
        "learning_val_balanced_accuracy", *(f"score_by_{cost}" for cost in costs),
    }  # fmt: skip
    assert {path.name for path in (sweep.directory / "figures").iterdir()} == {f"{name}.{format}" for name in names}


def test_the_report_alone_comes_without_files_of_figures(sweep: Any) -> None:
    page_of(sweep)
    assert not (sweep.directory / "figures").exists()


def test_the_figure_of_intervals_shows_what_the_board_says(sweep: Any) -> None:
    board = load_leaderboard(sweep.directory).dropna(subset=["rank"]).set_index("rank")
    figure = report.draw(sweep.directory, store.survey(sweep.directory)).figures["intervals"]
    assert isinstance(figure, Plot)
    assert [name.split()[0] for name in figure.y_names] == [f"{row.rank_low}" for row in board.itertuples()]
    drawn = {
        int(y): (x, span.x0, span.x1)
        for dots in figure.dots
        for x, y, span in zip(dots.x, dots.y, dots.spans, strict=True)
    }
    for rank, row in board.iterrows():
        ends = (row["test_balanced_accuracy"], row["test_balanced_accuracy_low"], row["test_balanced_accuracy_high"])
        assert drawn[rank - 1] == pytest.approx(ends)


def test_files_of_learning_curves_name_the_coloured_ones_alone(sweep_of: Any) -> None:
    sweep = sweep_of()
    for place in range(9):
        sweep.add(0.3 + place / 20, seeds=(0,), training={"learning_rate": 0.001 * (place + 1)})
    figure = report.draw(sweep.directory, store.survey(sweep.directory)).figures["learning_val_loss"]
    assert isinstance(figure, Plot)
    assert figure.legend == "inside"
    assert len(figure.lines) == 9
    assert len([line for line in figure.lines if line.name]) == 7
