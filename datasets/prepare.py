"""From a spec and a place to a manifest."""

from pathlib import Path

from datasets.examine import examine
from datasets.manifest import Manifest
from datasets.processes import Progress
from datasets.spec import DatasetLocation, DatasetSpec


def prepare(
    spec: DatasetSpec, location: DatasetLocation, cache_dir: Path, workers: int, progress: Progress | None
) -> Manifest:
    """The manifest of the pictures that the spec describes; `progress` is called with (files looked at, files).

    Raises:
        DatasetUsageError: an option makes no sense, or the folder or table is not there.
        DataContractBroken: the pictures cannot serve for what is asked.
    """
    return examine(spec, location, cache_dir, workers, progress).manifest
