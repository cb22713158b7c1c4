"""Where a network looked: Grad-CAM heat (Selvaraju et al. 2017) laid over the pictures as the network saw them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmark.report.thumbnails import Thumbnail, picture, small
from benchmark.store import BrokenRecord
from datasets.manifest import Manifest
from datasets.resizing import Resize, square_image

FILE = "gradcam.npz"
"""rows: int64 (n,), of the manifest. heat: uint8 (n, h, w), 0..255. classes: int64 (n,), whose evidence it is."""
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


class _Maps(NamedTuple):
    rows: npt.NDArray[np.int64]
    heat: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.int64]


def overlays(run: Path, manifest: Manifest, resize: Resize) -> list[Heated]:
    """The heat maps in a run's folder over their pictures; none when there is no such file.

    Raises:
        BrokenRecord: the file is not what the run wrote.
    """
    path = run / FILE
    if not path.exists():
        return []
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
    return shown


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
            maps = _Maps(found["rows"].astype(np.int64), found["heat"], found["classes"].astype(np.int64))
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BrokenRecord(_broken(path, str(error))) from error
    if maps.heat.ndim != 3 or maps.heat.dtype != np.uint8 or not len(maps.rows) == len(maps.heat) == len(maps.classes):
        raise BrokenRecord(_broken(path, f"heat of shape {maps.heat.shape} for {len(maps.rows)} pictures"))
    for values, end in ((maps.rows, len(manifest.table)), (maps.classes, len(manifest.classes))):
        if len(values) and not (values.min() >= 0 and values.max() < end):
            raise BrokenRecord(_broken(path, f"a number outside 0..{end - 1}"))
    return maps


def _broken(path: Path, reason: str) -> str:
    return (
        f"found no heat maps in {path} ({reason}); expected those that the run wrote: delete that file, or the folder "
        f"{path.parent} and give the sweep's command again"
    )
