"""How much a picture changes when it is saved as JPEG again, and what that tells about its past.

Error-level analysis: Krawetz, "A Picture's Worth", Black Hat 2007. A picture that was a JPEG before changes least when
it is saved at its old quality: Farid, "Exposing Digital Forgeries from JPEG Ghosts", IEEE TIFS 2009.
"""

import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

QUALITIES = (100, 92, 84, 76, 68, 60, 52, 44, 36)
MAP_QUALITY = 92
GAIN = 24
"""By how much the map of errors is brightened."""


class ErrorLevels(NamedTuple):
    """What saving a picture as JPEG does to it."""

    errors: tuple[float, ...]
    """Mean absolute change of a pixel's value at each of QUALITIES, 0..255."""
    bytes: tuple[int, ...]
    """Size of the file at each of QUALITIES."""
    map: Image.Image
    """RGB, the size of the picture: GAIN times the change of each pixel at MAP_QUALITY."""


def error_levels(image: Image.Image) -> ErrorLevels:
    """The error levels of an RGB image."""
    original = np.asarray(image).astype(np.int16)
    saved = {quality: _saved_again(image, quality) for quality in QUALITIES}
    changes = {quality: np.abs(again.pixels - original) for quality, again in saved.items()}
    brightened = np.clip(changes[MAP_QUALITY] * GAIN, 0, 255).astype(np.uint8)
    return ErrorLevels(
        errors=tuple(round(float(changes[quality].mean()), 3) for quality in QUALITIES),
        bytes=tuple(saved[quality].size for quality in QUALITIES),
        map=Image.fromarray(brightened),
    )


class _Saved(NamedTuple):
    pixels: npt.NDArray[np.int16]
    size: int


def _saved_again(image: Image.Image, quality: int) -> _Saved:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    size = buffer.tell()
    with Image.open(buffer) as again:
        return _Saved(np.asarray(again.convert("RGB")).astype(np.int16), size)
