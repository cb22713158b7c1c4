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


class Jpeg(NamedTuple):
    """A small picture: the bytes of a JPEG file and its size in pixels."""

    data: bytes
    width: int
    height: int


def thumbnail(root: Path, path: str) -> Thumbnail | None:
    """The picture made small, or None if the file can no longer be read."""
    found = small_jpeg(root, path, SIDE)
    return None if found is None else as_thumbnail(found)


def small_jpeg(root: Path, path: str, side: int) -> Jpeg | None:
    """The picture with at most `side` pixels a side, or None if the file can no longer be read."""
    try:
        with quiet_decoding(), Image.open(io.BytesIO(read_picture(str(root), path))) as opened:
            # A large JPEG is decoded at a fraction of its size, which is all that is needed here.
            opened.draft(None, (2 * side, 2 * side))
            return jpeg(to_rgb(ImageOps.exif_transpose(opened)), side)
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
    return as_thumbnail(jpeg(image, SIDE))


def jpeg(image: Image.Image, side: int) -> Jpeg:
    """The RGB image with at most `side` pixels a side."""
    copy = image.copy()
    copy.thumbnail((side, side))
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return Jpeg(buffer.getvalue(), *copy.size)


def as_thumbnail(found: Jpeg) -> Thumbnail:
    """The JPEG as a data URI."""
    text = base64.b64encode(found.data).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{text}", found.width, found.height)
