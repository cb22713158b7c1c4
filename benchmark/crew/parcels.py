"""Parcels: the files that an order needs, for machines that do not share the sweep's disk, and those that come back."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmark import store
from benchmark.jobs import Assignment, Order, Paths
from datasets.manifest import Manifest, files_of
from datasets.pixels import pixels_folder

Fetch = Callable[[Any], "np.ndarray[Any, np.dtype[np.uint8]]"]


class Parcel(NamedTuple):
    """What is laid out below a machine's own folder before an order is carried out there."""

    folders: dict[str, dict[str, Any]]
    """By folder and file name, what gives the file's bytes; a folder that is already there is not fetched again."""
    manifest: str
    """The manifest's place among them."""
    weights: dict[str, str]
    """The place of the weights file of each run that has one, by run id."""


def pack(order: Order, keep: Callable[[Path], Any]) -> Parcel:
    """The order's manifest, decoded pictures and weights; `keep` gives what stands for a file on its way."""
    manifest = Manifest.read_csv(order.manifest)
    name = f"manifests/{store.file_checksum(order.manifest)[:32]}"
    folders = {name: {path.name: keep(path) for path in files_of(order.manifest)}}
    weights = {}
    for one in order.runs:
        cache, dataset = one.job.paths.cache, one.spec.dataset
        decoded = pixels_folder(manifest, dataset.image_size, dataset.resize, cache)
        folders[f"cache/{decoded.relative_to(cache)}"] = {path.name: keep(path) for path in sorted(decoded.iterdir())}
        if one.job.weights_path is not None:
            # The specification names the file with the beginning of its checksum.
            place = f"weights/{one.spec.backbone.weights.rpartition(':')[2]}"
            folders[place] = {one.job.weights_path.name: keep(one.job.weights_path)}
            weights[one.planned.run_id] = f"{place}/{one.job.weights_path.name}"
    return Parcel(folders, f"{name}/{order.manifest.name}", weights)


def unpack(parcel: Parcel, order: Order, machine: Path, fetch: Fetch) -> Order:
    """Lay the parcel out below the machine's folder; the order as it is to be carried out there."""
    for place, files in parcel.folders.items():
        _lay_out(machine / place, files, fetch)
    results = Path(tempfile.mkdtemp(prefix="results-", dir=machine))

    def here(one: Assignment) -> Assignment:
        weights = parcel.weights.get(one.planned.run_id)
        update = {
            "paths": Paths(results=results, cache=machine / "cache"),
            "weights_path": machine / weights if weights else None,
        }
        return one.model_copy(update={"job": one.job.model_copy(update=update)})

    moved = Order(runs=tuple(here(one) for one in order.runs), manifest=machine / parcel.manifest)
    store.make_sweep_directory(moved.runs[0].job.directory)
    for one in moved.runs:
        store.write_config(one.job.directory, one.planned.run_id, one.job.spec)
        store.write_record(one.job.directory, one.planned)
    return moved


def collect(moved: Order) -> dict[str, dict[str, bytes]]:
    """The files of the order's runs by run id and name; they are gone from the machine's folder afterwards."""
    job = moved.runs[0].job
    folders = {one.planned.run_id: store.run_directory(job.directory, one.planned.run_id) for one in moved.runs}
    found = {run_id: {path.name: path.read_bytes() for path in run.iterdir()} for run_id, run in folders.items()}
    shutil.rmtree(job.paths.results)
    return found


def receive(directory: Path, files: Mapping[str, Mapping[str, bytes]]) -> None:
    """Put what was collected on the other machine into the sweep's folder, every run's record last."""
    for run_id, contents in files.items():
        run = store.run_directory(directory, run_id)
        for name in sorted(contents, key=lambda name: name == "record.json"):
            with store.replacing(run / Path(name).name) as temporary:
                temporary.write_bytes(contents[name])


def _lay_out(folder: Path, files: Mapping[str, Any], fetch: Fetch) -> None:
    """The folder with these files, whole or not at all: other workers of the machine may look for it now."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".parcel-", dir=folder.parent))
    try:
        for name, content in files.items():
            fetch(content).tofile(unfinished / name)
        with contextlib.suppress(OSError):  # another worker was quicker
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
