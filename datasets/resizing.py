"""A picture of any size made square, by one of three rules."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Resize = Literal["squish", "crop", "pad"]

RESAMPLING = Image.Resampling.BILINEAR
"""Antialiased: Pillow widens the filter by the scale when it shrinks a picture."""


def square(image: Image.Image, side: int, resize: Resize) -> npt.NDArray[np.uint8]:
    """The RGB image as a square, shape (side, side, 3), uint8, 0..255.

    squish: both sides are scaled, the aspect ratio is lost. crop: the shortest side is scaled, the centre is kept.
    pad: the longest side is scaled, the rest is black.
    """
    return np.asarray(square_image(image, side, resize))


def square_image(image: Image.Image, side: int, resize: Resize) -> Image.Image:
    """The RGB image as a square RGB image; see `square`."""
    width, height = image.size
    if resize == "squish":
        return image.resize((side, side), RESAMPLING)
    if resize == "crop":
        edge = min(width, height)
        left, top = (width - edge) / 2, (height - edge) / 2
        return image.resize((side, side), RESAMPLING, box=(left, top, left + edge, top + edge))
    scale = side / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    padded = Image.new("RGB", (side, side))
    padded.paste(image.resize(inner, RESAMPLING), ((side - inner[0]) // 2, (side - inner[1]) // 2))
    return padded
