"""Content hashes and perceptual hashes of pictures."""

import hashlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft
from PIL import Image

HASH_SIDE = 8
GREY_SIDE = 32

UInt64s = npt.NDArray[np.uint64]


class PerceptualHashes(NamedTuple):
    """pHash of each picture and of its mirror image: two arrays of shape (n,), uint64, 64 bits each."""

    upright: UInt64s
    mirrored: UInt64s


def pixels_sha256(image: Image.Image) -> str:
    """sha256, in hex, of an RGB image's size and pixels."""
    digest = hashlib.sha256(b"%dx%d:" % image.size)
    digest.update(image.tobytes())
    return digest.hexdigest()


def grey_thumbnail(image: Image.Image) -> npt.NDArray[np.uint8]:
    """The image in grey, shape (32, 32), uint8, 0..255: what imagehash's pHash looks at."""
    grey = image.convert("L").resize((GREY_SIDE, GREY_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(grey)


def perceptual_hashes(thumbnails: npt.NDArray[np.uint8]) -> PerceptualHashes:
    """pHash (as imagehash.phash, 64 bits) of grey thumbnails, shape (n, 32, 32), and of their mirror images."""
    if not len(thumbnails):
        return PerceptualHashes(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
    rows = scipy.fft.dct(thumbnails.astype(np.float64), axis=1)[:, :HASH_SIDE]
    low = scipy.fft.dct(rows, axis=2)[:, :, :HASH_SIDE]
    # Mirroring a signal changes the sign of its odd cosine coefficients and nothing else.
    signs = np.where(np.arange(HASH_SIDE) % 2, -1.0, 1.0)
    return PerceptualHashes(_above_median(low), _above_median(low * signs))


def to_hex(hashes: UInt64s) -> list[str]:
    """Each 64-bit hash as 16 hex digits, the way imagehash writes it."""
    return [f"{value:016x}" for value in hashes.tolist()]


def from_hex(texts: list[str]) -> UInt64s:
    """64-bit hashes, shape (n,), uint64, from their 16 hex digits."""
    return np.array([int(text, 16) for text in texts], dtype=np.uint64)


def _above_median(coefficients: npt.NDArray[np.float64]) -> UInt64s:
    flat = coefficients.reshape(len(coefficients), -1)
    bits = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)
