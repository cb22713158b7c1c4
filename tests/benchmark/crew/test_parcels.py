"""An order carried out on a machine that shares no disk with the sweep gives the files it gives here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from benchmark import config, planning, store
from benchmark.crew import LocalCrew
from benchmark.crew.parcels import collect, pack, receive, unpack
from benchmark.jobs import Assignment, Order
from benchmark.terminal import Terminal

WORDS = ["dataset.max_per_class=12", "dataset.image_size=16", "training.epochs=1", "machine.measure_latency=false",
         "sweep.name=s", "screen=quiet"]  # fmt: skip


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """A run that is ready to be carried out, its pictures decoded."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config.CONF), version_base="1.3"):
        composed = compose("config", [*WORDS, f"paths.results={tmp_path / 'here'}"])
        [job] = config.to_jobs(config.without_machinery(composed), WORDS)
    GlobalHydra.instance().clear()
    [planned] = planning.prepare_all([job], Terminal(job.directory, job.screen))
    planning.write_manifests([planned])
    record = planned.record.model_copy(update={"status": "running"})
    store.make_sweep_directory(job.directory)
    store.write_config(job.directory, record.run_id, job.spec)
    store.write_record(job.directory, record)
    assignment = Assignment(job=job, planned=record, batch_size=16, exhibited=True)
    return Order(runs=(assignment,), manifest=planned.data.path)


def as_it_is(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The file's bytes, which travel as they are."""
    return np.fromfile(path, np.uint8)


def carry_out(order: Order, log: Path) -> None:
    """See the order to its end."""
    with LocalCrew(log, 1) as crew:
        crew.give(order, 0, "")
        while crew.busy:
            crew.wait(1.0)


def test_results_come_back_as_if_they_had_been_computed_here(order: Order, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    [run] = order.runs
    parcel = pack(order, as_it_is)
    away = store.run_directory(run.job.directory, run.planned.run_id)
    hidden = run.job.paths.cache.rename(tmp_path / "hidden")  # nothing of this disk is needed there
    moved = unpack(parcel, order, there, lambda content: content)
    carry_out(moved, tmp_path / "worker.log")
    files = collect(moved)
    receive(run.job.directory, files)
    assert not moved.runs[0].job.paths.results.exists()
    record = store.load_record(away)
    assert record.status == "ok", (away / "log.txt").read_text("utf-8")
    assert store.survey(run.job.directory).broken == []
    assert {"log.txt", "gradcam.npz", "architecture.txt"} <= {path.name for path in away.iterdir()}
    elsewhere = store.load_predictions(run.job.directory, run.planned.run_id).probabilities
    shutil.copytree(hidden, run.job.paths.cache)
    carry_out(order, tmp_path / "worker.log")
    here = store.load_predictions(run.job.directory, run.planned.run_id).probabilities
    assert here.tobytes() == elsewhere.tobytes()


def test_what_is_there_already_is_not_fetched_again(order: Order, tmp_path: Path) -> None:
    def fetching(fetched: list[int]) -> Callable[[Any], Any]:
        return lambda content: (fetched.append(len(content)), content)[1]

    first, second = list[int](), list[int]()
    parcel = pack(order, as_it_is)
    unpack(parcel, order, tmp_path / "there", fetching(first))
    unpack(parcel, order, tmp_path / "there", fetching(second))
    assert sum(first) > 16 * 16 * 3
    assert second == []


def test_a_file_name_from_another_machine_cannot_leave_the_run_folder(tmp_path: Path) -> None:
    store.make_sweep_directory(tmp_path)
    receive(tmp_path, {"run": {"../../../escaped.txt": b"x", "record.json": json.dumps({}).encode()}})
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "runs/run/escaped.txt",
        "runs/run/record.json",
    ]
    with pytest.raises(store.BrokenRecord):
        receive(tmp_path, {"../run": {"record.json": b""}})
