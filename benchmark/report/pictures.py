"""Pictures of a sweep: their files, and small copies of them that all pages of the sweep share."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from benchmark import store
from benchmark.board.candidates import fold_of
from benchmark.errors import sentence
from benchmark.records import RunRecord
from benchmark.report.thumbnails import small_jpeg
from datasets.errors import DataContractBroken
from datasets.manifest import Manifest

FOLDER = "thumbnails"
"""Inside the sweep's folder."""

SIDE = 96
"""Longest side in pixels."""

_HASH = re.compile("[0-9a-f]{64}")
_THREADS = 4
_UNREADABLE = (DataContractBroken, OSError)


@dataclass(frozen=True, eq=False)
class Pictures:
    """What is known of the pictures behind predictions; of a sweep without its manifest only their hashes."""

    directory: Path
    """The sweep's folder."""
    manifest: Manifest | None

    def path(self, image: str, label: str) -> str:
        """The picture's path inside the data set; where that is unknown, the beginning of its hash."""
        return self._paths.get((image, label)) or self._paths.get((image, "")) or image[:12]

    def copies(self, images: Iterable[tuple[str, str]]) -> dict[str, Path]:
        """From each (image, label) whose file can be read to its small copy, which is made unless it is there."""
        wanted = dict(images)
        with ThreadPoolExecutor(_THREADS) as threads:
            made = threads.map(lambda pair: (pair[0], self._copy(*pair)), wanted.items())
            return {image: path for image, path in made if path is not None}

    @property
    def _paths(self) -> dict[tuple[str, str], str]:
        return {} if self.manifest is None else _paths(self.manifest)

    def _copy(self, image: str, label: str) -> Path | None:
        """The file of the small copy."""
        if not _HASH.fullmatch(image) or self.manifest is None or (image, "") not in self._paths:
            return None
        target = self.directory / FOLDER / image[:2] / f"{image}.jpg"
        if not target.exists():
            found = small_jpeg(self.manifest.root, self.path(image, label), SIDE)
            if found is None:
                return None
            target.parent.parent.mkdir(exist_ok=True)
            with store.replacing(target) as temporary:
                temporary.write_bytes(found.data)
        return target


def pictures_of(directory: Path, record: RunRecord | None = None) -> Pictures:
    """The pictures of a sweep, split as this run saw them; only their hashes where the manifest is damaged."""
    fold = None if record is None else fold_of(record)
    names = [f"manifest-fold{fold}.csv"] if fold is not None else ["manifest.csv", "manifest-fold*.csv"]
    for name in names:
        for path in sorted(directory.glob(name)):
            with suppress(*_UNREADABLE):
                return Pictures(directory, _manifest(path, path.stat().st_mtime_ns))
    return Pictures(directory, None)


def damaged_manifests(directory: Path) -> Iterator[str]:
    """A sentence for each manifest of the sweep that cannot be read, and is done without."""
    for path in sorted(directory.glob("manifest*.csv")):
        try:
            _manifest(path, path.stat().st_mtime_ns)
        except _UNREADABLE as error:
            yield sentence(error)


def embedded(path: Path) -> str:
    """A small file as a data URI."""
    kind = "png" if path.suffix == ".png" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


@lru_cache(maxsize=4)
def _manifest(path: Path, changed: int) -> Manifest:
    return Manifest.read_csv(path)


@lru_cache(maxsize=4)
def _paths(manifest: Manifest) -> dict[tuple[str, str], str]:
    """From a picture's hash with its label, and without, to the first path that holds it."""
    table = manifest.table
    found: dict[tuple[str, str], str] = {}
    for image, label, path in zip(table["pixels_sha256"], table["label"], table["path"], strict=True):
        found.setdefault((image, label), path)
        found.setdefault((image, ""), path)
    return found
