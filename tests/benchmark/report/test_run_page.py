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
    assert run.is_written(sweep.directory, record)


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
    assert not run.is_written(sweep.directory, crashed)


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
