"""bench report: the files it writes, what it prints, and its mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark import store
from benchmark.cli import run
from benchmark.metrics import score_all
from benchmark.predictions import Predictions
from benchmark.records import Baseline, RunRecord


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A sweep's folder with one finished baseline."""
    truth = np.arange(40) % 2
    probabilities = np.where(np.eye(2)[np.where(np.arange(40) < 30, truth, 1 - truth)] > 0, 0.9, 0.1).astype(np.float32)
    images = np.array([f"{index:064x}" for index in range(40)])
    predictions = Predictions(images, images, truth, probabilities, ("a", "b"))
    record = RunRecord(
        run_id="good",
        candidate="good",
        sweep="drawn",
        spec=Baseline(baseline="majority", dataset="drawn", image_size=0, fold=None),
        fingerprint="f" * 64,
        classes=("a", "b"),
        status="ok",
        primary="accuracy",
        test=score_all(predictions),
        command="python -m benchmark",
    )
    store.make_sweep_directory(tmp_path / "drawn")
    store.write_predictions(tmp_path / "drawn", "good", "test", predictions)
    store.write_record(tmp_path / "drawn", record)
    return tmp_path / "drawn"


def test_the_report_and_the_pages_of_runs_are_written_and_named(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(directory)]) == 0
    page = directory / "runs" / "good" / "index.html"
    assert capsys.readouterr().out.splitlines() == [
        f"wrote 1 page of runs, such as {page}",
        f"wrote {directory / 'report.html'} (0.0 MB)",
    ]
    assert page.is_file()
    assert (directory / "runs" / "good" / "figures" / "confusion.svg").is_file()
    assert "majority" in (directory / "report.html").read_text("utf-8")


def test_the_board_alone_and_figures_as_pdf_can_be_asked_for(directory: Path) -> None:
    assert run(["report", str(directory), "--level", "board"]) == 0
    assert not (directory / "runs" / "good" / "figures").exists()
    assert run(["report", str(directory), "--figures", "pdf"]) == 0
    assert (directory / "runs" / "good" / "figures" / "coverage.pdf").is_file()
    assert run(["report", str(directory)]) == 0  # the form that is there stays
    assert not list(directory.rglob("*.svg"))


def test_a_folder_that_is_no_sweeps_is_said(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", str(tmp_path)]) == 1
    assert "give one of its sweeps: drawn" in capsys.readouterr().err
    assert run(["report", "nowhere"]) == 1
    assert "found no folder nowhere" in capsys.readouterr().err
