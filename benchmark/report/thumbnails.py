"""Small pictures for a page, as data URIs."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

from datasets.decoding import Undecodable, decode, quiet_decoding, to_rgb
from datasets.facts import read_picture

SIDE = 128
"""Longest side in pixels."""

_QUALITY = 70


class Thumbnail(NamedTuple):
    """A small picture: a data URI and its size in pixels."""

    uri: str
    width: int
    height: int


def thumbnail(root: Path, path: str) -> Thumbnail | None:
    """The picture made small, or None if the file can no longer be read."""
    try:
        with quiet_decoding(), Image.open(io.BytesIO(read_picture(str(root), path))) as opened:
            # A large JPEG is decoded at a fraction of its size, which is all that is needed here.
            opened.draft(None, (2 * SIDE, 2 * SIDE))
            return small(to_rgb(ImageOps.exif_transpose(opened)))
    except Exception:  # a decoder may raise anything; the page says that the picture is gone
        return None


def picture(root: Path, path: str) -> Image.Image | None:
    """The whole picture as RGB, or None if the file can no longer be read."""
    try:
        with quiet_decoding():
            return decode(read_picture(str(root), path)).image
    except (OSError, Undecodable):
        return None


def small(image: Image.Image) -> Thumbnail:
    """The RGB image as a thumbnail."""
    copy = image.copy()
    copy.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{text}", *copy.size)
