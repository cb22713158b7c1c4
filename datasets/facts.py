"""What one look at a picture file tells: run in child processes, so nothing heavy is imported here."""

import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from datasets.decoding import MAX_BYTES, Undecodable, decode, quiet_decoding
from datasets.hashing import GREY_SIDE, grey_thumbnail, perceptual_hashes, pixels_sha256, to_hex

FACTS_VERSION = 2


class Facts(NamedTuple):
    """What is known of a file; `reason` is empty for a usable picture; else all that follows is."""

    path: str
    reason: str
    format: str
    mode: str
    frames: int
    width: int
    height: int
    brightness: float
    """Mean grey value, 0..255."""
    contrast: float
    """Standard deviation of the grey values of a thumbnail, 0..127.5."""
    sha256: str
    pixels_sha256: str
    phash: str
    mirrored_phash: str


def look_at(root: str, paths: Sequence[str]) -> list[Facts]:
    """The facts of each file, in order; no file's state can make this raise."""
    facts: list[Facts] = []
    thumbnails = np.zeros((len(paths), GREY_SIDE, GREY_SIDE), np.uint8)
    with quiet_decoding():
        for row, path in enumerate(paths):
            try:
                facts.append(_look_at_one(root, path, thumbnails[row]))
            except Undecodable as error:
                facts.append(unusable(path, str(error)))
            except OSError as error:
                facts.append(unusable(path, f"unreadable: {(os.strerror(error.errno or 0)).lower()}"))
            except MemoryError:
                facts.append(unusable(path, "absurd size: too large for the memory of this machine"))
    brightness = thumbnails.mean(axis=(1, 2)).round(2).tolist()
    contrast = thumbnails.std(axis=(1, 2)).round(2).tolist()
    hashes = perceptual_hashes(thumbnails)
    upright, mirrored = to_hex(hashes.upright), to_hex(hashes.mirrored)
    return [
        fact if fact.reason else fact._replace(brightness=light, contrast=spread, phash=one, mirrored_phash=other)
        for fact, light, spread, one, other in zip(facts, brightness, contrast, upright, mirrored, strict=True)
    ]


def read_picture(root: str, path: str) -> bytes:
    """The bytes of a file.

    Raises:
        Undecodable: it has more than MAX_BYTES.
    """
    with open(os.path.join(root, path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise Undecodable(f"absurd size: {size:,} bytes, expected at most {MAX_BYTES:,}")
        return file.read()


def _look_at_one(root: str, path: str, thumbnail: np.ndarray) -> Facts:
    data = read_picture(root, path)
    picture = decode(data)
    thumbnail[:] = grey_thumbnail(picture.image)
    return Facts(
        path=path,
        reason="",
        format=picture.format,
        mode=picture.mode,
        frames=picture.frames,
        width=picture.image.width,
        height=picture.image.height,
        brightness=0.0,
        contrast=0.0,
        sha256=hashlib.sha256(data).hexdigest(),
        pixels_sha256=pixels_sha256(picture.image),
        phash="",
        mirrored_phash="",
    )


def unusable(path: str, reason: str) -> Facts:
    """The facts of a file that gives no picture."""
    return Facts(path, reason, "", "", 0, 0, 0, 0.0, 0.0, "", "", "", "")
