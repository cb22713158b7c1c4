"""Pages of runs and sweeps in MLflow, which shows a file without those beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from benchmark import store, tracking
from benchmark.tracking.pushing import push

PAGE = '<a href="../../report.html">sweep</a><img src="../../thumbnails/00/0.jpg" alt=""><a href="#errors">errors</a>'


def sent(folder: Any, run: Run, name: str, place: Path) -> str:
    client = MlflowClient(f"sqlite:///{folder.path.parent}/mlflow.db")
    place.mkdir(exist_ok=True)
    return Path(client.download_artifacts(run.info.run_id, name, str(place))).read_text("utf-8")


def draw(folder: Any, run_id: str) -> None:
    """A run's page with a picture beside it."""
    picture = folder.path / "thumbnails" / "00" / "0.jpg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(picture)
    store.write_text(store.run_directory(folder.path, run_id) / "index.html", PAGE)


@pytest.mark.parametrize("with_hidden_file", [False, True])
def test_a_page_in_mlflow_has_its_pictures_inside_and_no_dead_link(
    folder: Any, found: Callable[[str], list[Run]], tmp_path: Path, with_hidden_file: bool
) -> None:
    tracker = tracking.SweepTracker(None, folder.path.parent, "drawn", "drawn")
    record = folder.record(0)
    tracker.start(record, folder.manifest)
    ended = folder.end(record)
    draw(folder, record.run_id)
    run_folder = store.run_directory(folder.path, record.run_id)
    if with_hidden_file:
        (run_folder / ".lock").touch()
    tracker.finish(ended, run_folder)
    store.write_text(folder.path / "report.html", '<a href="runs/x/index.html">0</a><a href="#board">board</a>')
    tracker.board(folder.board())
    tracker.close("FINISHED")
    [run], [parent] = found("run"), found("sweep")
    page = sent(folder, run, "index.html", tmp_path / "run")
    assert page.startswith('sweep<img src="data:image/jpeg;base64,')
    assert page.endswith('alt=""><a href="#errors">errors</a>')
    assert sent(folder, parent, "report.html", tmp_path / "sweep") == '0<a href="#board">board</a>'


def test_a_page_that_is_drawn_later_is_sent_by_the_next_push(
    folder: Any, found: Callable[[str], list[Run]], tmp_path: Path
) -> None:
    record = folder.record(0)
    folder.end(record)
    board = folder.board()
    assert push(None, folder.path, board).sent == [record.run_id]
    assert push(None, folder.path, board).sent == []
    draw(folder, record.run_id)
    assert push(None, folder.path, board).sent == [record.run_id]
    [run] = found("run")
    assert "data:image/jpeg" in sent(folder, run, "index.html", tmp_path / "run")
    assert push(None, folder.path, board).sent == []
