import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark import store
from benchmark.records import RunRecord
from benchmark.report import gallery, run
from benchmark.report import sweep as report
from benchmark.report.detached import detached
from benchmark.report.pictures import pictures_of

HOSTILE = '<img src=x onerror="alert(1)">'
LONG = "n" * 300
RIGHT_TO_LEFT = "חתול\u202egpj"


def finished(sweep: Any) -> RunRecord:
    return next(record for record in sweep.records() if record.finished and "baseline" not in record.run_id)


def written(sweep: Any, record: RunRecord) -> str:
    run.write(sweep.directory, record, "svg")
    return (store.run_directory(sweep.directory, record.run_id) / "index.html").read_text("utf-8")


def test_a_run_gets_its_figures_tables_and_a_page(sweep: Any, read: Callable[[str], Any]) -> None:
    record = finished(sweep)
    files = run.write(sweep.directory, record, "svg")
    folder = store.run_directory(sweep.directory, record.run_id)
    names = {path.relative_to(folder).as_posix() for path in files}
    figures = ("loss", "metrics", "confusion", "confusion_shares", "classes", "reliability", "coverage")
    assert names == {"index.html", "classes.csv", "errors.csv", *(f"figures/{name}.svg" for name in figures)}
    assert all(path.is_file() for path in files)
    page = read((folder / "index.html").read_text("utf-8"))
    assert "epoch 2 was kept" in page.text
    assert run.is_written(sweep.directory, record, "svg")


def test_every_error_is_listed_the_highest_loss_first(sweep: Any) -> None:
    record = finished(sweep)
    predictions = store.load_predictions(sweep.directory, record.run_id)
    items = gallery.errors(predictions, pictures_of(sweep.directory, record))
    assert len(items) == int((predictions.guess != predictions.truth).sum()) > 0
    losses = [item.loss for item in items]
    assert losses == sorted(losses, reverse=True)
    assert all(item.truth != item.guess for item in items)
    rows = list(csv.DictReader(io.StringIO(gallery.errors_csv(items))))
    assert [row["path"] for row in rows] == ["noise.png"] * len(items)


def test_the_first_pictures_are_inside_the_page_and_all_others_beside_it(sweep_of: Any) -> None:
    sweep = sweep_of(pictures=900)
    sweep.add(0.3, seeds=(0,))
    text = written(sweep, finished(sweep))
    folder = store.run_directory(sweep.directory, finished(sweep).run_id)
    beside = [part.partition('"')[0] for part in text.split('src="../')[1:]]
    assert text.count("data:image/jpeg") >= gallery.EMBEDDED
    assert len(beside) > 50
    with Image.open(folder / f"../{beside[0]}") as found:
        assert max(found.size) <= 96


def test_pages_share_their_small_pictures(sweep: Any) -> None:
    for record in sweep.records():
        run.write(sweep.directory, record, "svg")
    before = {path: path.stat().st_mtime_ns for path in (sweep.directory / "thumbnails").glob("*/*.jpg")}
    for record in sweep.records():
        run.write(sweep.directory, record, "svg")
    assert before == {path: path.stat().st_mtime_ns for path in (sweep.directory / "thumbnails").glob("*/*.jpg")}
    assert len(before) <= 90


def test_pictures_that_are_gone_are_said_to_be(sweep: Any, read: Callable[[str], Any]) -> None:
    (sweep.manifest.root / "noise.png").unlink()
    page = read(written(sweep, finished(sweep)))
    assert "no picture" in page.text
    assert not page.values("src")


def test_without_its_manifest_a_sweep_still_has_pages(sweep: Any, read: Callable[[str], Any]) -> None:
    (sweep.directory / "manifest.csv").unlink()
    assert "no picture" in read(written(sweep, finished(sweep))).text


def test_hostile_names_stay_text(sweep_of: Any, read: Callable[[str], Any]) -> None:
    sweep = sweep_of(classes=(HOSTILE, LONG, RIGHT_TO_LEFT, "</script>", "🐈"), pictures=300)
    sweep.add(0.4, seeds=(0,))
    page = read(written(sweep, finished(sweep)))
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "script" not in {tag for tag, _ in page.elements}
    assert "\u202e" not in page.text
    assert LONG not in page.text
    assert any(LONG in title for title in page.values("title"))


def test_a_run_without_a_result_gets_nothing(sweep: Any) -> None:
    crashed = next(record for record in sweep.records() if record.status == "crashed")
    assert run.write(sweep.directory, crashed, "svg") == []
    assert not run.has_page(sweep.directory, crashed)


def test_a_page_with_figures_of_another_format_gets_those_that_are_wanted(sweep: Any) -> None:
    record = finished(sweep)
    report.write(sweep.directory, "full", "svg")
    assert run.has_page(sweep.directory, record)
    assert not run.is_written(sweep.directory, record, "pdf")
    report.write(sweep.directory, "full", "pdf")
    folder = store.run_directory(sweep.directory, record.run_id) / "figures"
    assert {path.suffix for path in folder.iterdir()} == {".pdf"}, "those of the other format would grow old"
    assert report.write(sweep.directory, "full", "pdf").pages == []


def test_labels_are_doubted_where_a_wrong_answer_is_as_sure_as_usual(sweep_of: Any, read: Callable[[str], Any]) -> None:
    sweep = sweep_of()
    sweep.add(0.9, seeds=(0,))
    record = finished(sweep)
    predictions = store.load_predictions(sweep.directory, record.run_id)
    wrong = np.flatnonzero(predictions.guess != predictions.truth)
    page = read(written(sweep, record))
    assert f"{len(wrong)} wrong answers are at least as sure as this run is" in page.text
    probabilities = predictions.probabilities.copy()
    probabilities[wrong[1:]] = probabilities[wrong[1:]] * 0.6 + 0.4 / 3
    unsure = predictions.__class__(
        *(predictions.images, predictions.groups, predictions.truth, probabilities, predictions.classes)
    )
    doubts = gallery.label_doubts(unsure, pictures_of(sweep.directory, record))
    assert [doubt.image for doubt in doubts] == [predictions.images[wrong[0]]]


def test_a_run_that_guesses_is_not_asked_about_labels(sweep_of: Any, read: Callable[[str], Any]) -> None:
    sweep = sweep_of()
    sweep.add(0.3, seeds=(0,))
    assert "cannot be told from guessing" in read(written(sweep, finished(sweep))).text


def test_a_run_without_heat_maps_leads_to_the_one_of_its_candidate_that_has_them(
    sweep: Any, read: Callable[[str], Any]
) -> None:
    first, second = [record for record in sweep.records() if record.candidate == finished(sweep).candidate]
    assert "No heat maps are kept here" in read(written(sweep, second)).text
    other = next(one for one in sweep.records() if one.finished and one.candidate not in ("", first.candidate))
    for record in (first, other):
        folder = store.run_directory(sweep.directory, record.run_id)
        heat = {"rows": np.array([2]), "heat": np.full((1, 4, 4), 200, np.uint8), "classes": np.array([1])}
        np.savez(folder / "gradcam.npz", **heat, method=np.array("hirescam"))
    links = read(written(sweep, second)).values("href")
    assert f"../{first.run_id}/index.html#heat" in links
    assert "HiResCAM" in read(written(sweep, first)).text


def test_with_more_classes_than_heat_maps_the_page_says_so(sweep: Any, read: Callable[[str], Any]) -> None:
    record = finished(sweep)
    row = int(np.flatnonzero(sweep.manifest.table["split"] == "test")[0])
    label = int(sweep.manifest.labels[row])
    heat = {"rows": np.array([row]), "heat": np.full((1, 4, 4), 9, np.uint8), "classes": np.array([label])}
    np.savez(store.run_directory(sweep.directory, record.run_id) / "gradcam.npz", **heat, method=np.array("grad-cam"))
    assert "a right answer of 1 of the 3 classes that have one, those known worst" in read(written(sweep, record)).text


def test_a_detached_page_needs_no_other_file(sweep_of: Any, read: Callable[[str], Any]) -> None:
    sweep = sweep_of(pictures=900)
    sweep.add(0.3, seeds=(0, 1))
    record = finished(sweep)
    beside = written(sweep, record)
    page = store.run_directory(sweep.directory, record.run_id) / "index.html"
    assert 'src="../' in beside
    assert 'href="../' in beside
    text = detached(page)
    assert read(text).text == read(beside).text
    assert all(source.startswith("data:") for source in read(text).values("src"))
    assert all(link.startswith(("#", "data:")) for link in read(text).values("href"))
    assert text.count("<img") == beside.count("<img")
    (sweep.directory / "thumbnails").rename(sweep.directory / "gone")
    assert detached(page).count("<img") == text.count("<img"), "a small picture that is gone is no error"


def test_a_run_that_trained_nothing_has_no_learning_curves(sweep: Any, read: Callable[[str], Any]) -> None:
    baseline = next(record for record in sweep.records() if "baseline" in record.run_id)
    page = read(written(sweep, baseline))
    assert "Learning" not in page.text
    assert "Confusion" in page.text


def test_what_training_left_is_shown(sweep: Any, read: Callable[[str], Any]) -> None:
    record = finished(sweep)
    folder = store.run_directory(sweep.directory, record.run_id)
    (folder / "architecture.txt").write_text("conv <3x3>", "utf-8")
    Image.new("RGB", (8, 8)).save(folder / "augmentation.png")
    np.savez(folder / "gradcam.npz", rows=np.array([2]), heat=np.full((1, 4, 4), 200, np.uint8), classes=np.array([1]))
    page = read(written(sweep, record))
    assert "conv <3x3>" in page.text
    assert "Where it looked" in page.text
    assert any(source.startswith("data:image/png") for source in page.values("src"))


def test_a_history_that_was_edited_is_said(sweep: Any) -> None:
    record = finished(sweep)
    (store.run_directory(sweep.directory, record.run_id) / "history.csv").write_text("no,epochs\n1,2\n", "utf-8")
    with pytest.raises(store.BrokenRecord, match="found no epochs in"):
        run.load_history(store.run_directory(sweep.directory, record.run_id))


def test_a_hash_that_is_none_never_becomes_a_path(sweep: Any, tmp_path: Path) -> None:
    pictures = pictures_of(sweep.directory)
    assert pictures.copies([("../../evil", "ant"), ("0" * 64, "ant")]).keys() == {"0" * 64}
