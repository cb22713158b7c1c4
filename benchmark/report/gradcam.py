"""Where a network looked: heat laid over the pictures as the network saw them."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.report.thumbnails import Thumbnail, picture, small
from benchmark.store import BrokenRecord, load_record
from datasets.manifest import Manifest
from datasets.resizing import Resize, square_image

FILE = "gradcam.npz"
"""rows: int64 (n,), of the manifest. heat: uint8 (n, h, w), 0..255. classes: int64 (n,), whose evidence it is.
method: a key of METHODS."""
METHODS = {
    "grad-cam": "Grad-CAM (Selvaraju et al. 2017)",
    "hirescam": "HiResCAM (Draelos and Carin 2020), since the network flattens its last map",
    "": "Grad-CAM (Selvaraju et al. 2017); for networks that flatten their last map HiResCAM (Draelos and Carin 2020)",
}
"""What made the heat, in words; empty for files that do not say."""
MOST = 64

_SIDE = 128
_COOL, _WARM = np.array([213.0, 94.0, 0.0]), np.array([255.0, 235.0, 90.0])
_OPACITY = 0.7
_DIMMED = 0.75


class Heated(NamedTuple):
    """A picture with the heat over it, and the picture alone."""

    row: int
    """Of the manifest."""
    path: str
    truth: str
    explained: str
    """The class whose evidence is warm."""
    plain: Thumbnail
    heated: Thumbnail


class Overlays(NamedTuple):
    """The heat of one run."""

    method: str
    """In words, with its source."""
    pictures: list[Heated]

    @property
    def right(self) -> int:
        """How many of the pictures are right answers."""
        return sum(one.explained == one.truth for one in self.pictures)


def kept_by(directory: Path, candidate: str) -> str:
    """The id of the candidate's run that has heat maps in this sweep's folder; empty when there is none."""
    names = candidate.rpartition("-")[0]
    for path in sorted((directory / "runs").glob(f"{names}-s*/{FILE}")):
        with contextlib.suppress(BrokenRecord):
            if load_record(path.parent).candidate == candidate:
                return path.parent.name
    return ""


class _Maps(NamedTuple):
    rows: npt.NDArray[np.int64]
    heat: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.int64]
    method: str


def overlays(run: Path, manifest: Manifest, resize: Resize) -> Overlays | None:
    """The heat maps in a run's folder over their pictures; None when there is no such file.

    Raises:
        BrokenRecord: the file is not what the run wrote.
    """
    path = run / FILE
    if not path.exists():
        return None
    maps = _read(path, manifest)
    shown = []
    for row, heat, label in zip(maps.rows.tolist()[:MOST], maps.heat, maps.classes.tolist(), strict=False):
        found = manifest.table.iloc[row]
        whole = picture(manifest.root, found["path"])
        if whole is None:
            continue
        view = square_image(whole, _SIDE, resize)
        explained = manifest.classes[label]
        shown.append(Heated(row, found["path"], found["label"], explained, small(view), small(blend(view, heat))))
    return Overlays(METHODS[maps.method], shown)


def blend(view: Image.Image, heat: npt.NDArray[np.uint8]) -> Image.Image:
    """The RGB picture under the heat (h x w, 0..255), which is stretched to its size: warm where the heat is high.

    The picture loses its colours and some light, so that what is warm and bright in it is the heat alone.
    """
    stretched = Image.fromarray(heat).resize(view.size, Image.Resampling.BILINEAR)
    share = np.asarray(stretched, np.float64)[:, :, None] / 255
    colour = _COOL + (_WARM - _COOL) * share
    opacity = _OPACITY * share
    grey = _DIMMED * np.asarray(view.convert("L").convert("RGB"), np.float64)
    mixed = grey * (1 - opacity) + colour * opacity
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _read(path: Path, manifest: Manifest) -> _Maps:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            method = str(found["method"]) if "method" in found else ""
            maps = _Maps(found["rows"].astype(np.int64), found["heat"], found["classes"].astype(np.int64), method)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BrokenRecord(_broken(path, str(error))) from error
    if maps.heat.ndim != 3 or maps.heat.dtype != np.uint8 or not len(maps.rows) == len(maps.heat) == len(maps.classes):
        raise BrokenRecord(_broken(path, f"heat of shape {maps.heat.shape} for {len(maps.rows)} pictures"))
    if maps.method not in METHODS:
        raise BrokenRecord(_broken(path, f"the method {maps.method!r}"))
    for values, end in ((maps.rows, len(manifest.table)), (maps.classes, len(manifest.classes))):
        if len(values) and not (values.min() >= 0 and values.max() < end):
            raise BrokenRecord(_broken(path, f"a number outside 0..{end - 1}"))
    return maps


def _broken(path: Path, reason: str) -> str:
    return (
        f"found no heat maps in {path} ({reason}); expected those that the run wrote: delete that file, or the folder "
        f"{path.parent} and give the sweep's command again"
    )
