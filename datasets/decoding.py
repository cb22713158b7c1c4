"""Picture files decoded to 8-bit RGB by one rule, or refused with a reason.

The rule: the format is what the bytes say, never the extension. The first frame counts. EXIF orientation is applied.
Transparency is laid over white. 16-bit grey is divided by 257; floating-point grey within 0..1 is multiplied by 255,
other integer or floating-point grey is clipped to 0..255. CMYK, palettes, YCbCr, LAB and grey go through Pillow's
conversion to RGB; embedded colour profiles are ignored.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

MAX_BYTES = 256 * 2**20
MAX_PIXELS = 89_478_485
MIN_SIDE = 4
MAX_ASPECT = 100

_EXIF_KEYS = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")


class Undecodable(ValueError):
    """A file that gives no usable picture; the message is the reason."""


class Picture(NamedTuple):
    """A decoded picture: 8-bit RGB image, and the file's own format, mode and number of frames."""

    image: Image.Image
    format: str
    mode: str
    frames: int


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """A block in which Pillow's remarks on odd metadata are silent and a decompression bomb is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(data: bytes) -> Picture:
    """The picture in a file's bytes; call it within `quiet_decoding`.

    Raises:
        Undecodable: empty, not an image, truncated, damaged, or of an absurd size.
    """
    if not data:
        raise Undecodable("empty: the file has 0 bytes")
    try:
        opened = Image.open(io.BytesIO(data))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise Undecodable(f"decompression bomb: more than {MAX_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise Undecodable("not an image: no known format in its first bytes") from error
    except Exception as error:  # a decoder may raise anything on hostile bytes
        raise Undecodable(f"damaged: {_first_line(error)}") from error
    _refuse_absurd(*opened.size)
    frames = int(getattr(opened, "n_frames", 1)) if opened.format in ("GIF", "WEBP", "PNG", "AVIF", "TIFF") else 1
    file_format, mode = opened.format or "unknown", opened.mode
    try:
        opened.load()
        image = to_rgb(_upright(opened))
    except Exception as error:  # as above: struct.error, zlib.error, SyntaxError, IndexError, ... all occur
        text = _first_line(error)
        kind = "truncated" if "truncated" in text or "Truncated" in text else "damaged"
        raise Undecodable(f"{kind}: {text}") from error
    return Picture(image, file_format, mode, frames)


def to_rgb(image: Image.Image) -> Image.Image:
    """The image as 8-bit RGB by this module's rule."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode[0] in "IF":
        return _grey_from_wide(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        overlay = image.convert("RGBA")
        white = Image.new("RGBA", overlay.size, "white")
        return Image.alpha_composite(white, overlay).convert("RGB")
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    if not any(key in image.info for key in _EXIF_KEYS):
        return image
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # unreadable metadata must not cost the picture
        return image
    return image if orientation == 1 else ImageOps.exif_transpose(image)


def _grey_from_wide(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    if image.mode.startswith("I;16") or (image.mode == "I" and 255 < values.max() <= 65535 and values.min() >= 0):
        values = values / 257
    elif image.mode == "F" and values.min() >= 0 and values.max() <= 1:
        values = values * 255
    return Image.fromarray(np.clip(np.rint(np.nan_to_num(values)), 0, 255).astype(np.uint8))


def _refuse_absurd(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Undecodable(f"decompression bomb: {width} x {height}, more than {MAX_PIXELS:,} pixels")
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_ASPECT * min(width, height):
        raise Undecodable(
            f"absurd size: {width} x {height}, expected at least {MIN_SIDE} a side, at most 1:{MAX_ASPECT}"
        )


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
