"""Thirty-odd kinds of bad and odd files, each made here and each looked at in a folder with odd names."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from datasets.decoding import MAX_BYTES, decode, quiet_decoding
from datasets.facts import look_at, read_picture
from datasets.listing import list_folder

FOLDER = "Blüten und 花 🌼"


def base() -> Image.Image:
    """A picture whose corners differ: 24 x 16, red, green, blue and yellow quarters."""
    picture = Image.new("RGB", (24, 16), (200, 30, 30))
    picture.paste((30, 200, 30), (12, 0, 24, 8))
    picture.paste((30, 30, 200), (0, 8, 12, 16))
    picture.paste((200, 200, 30), (12, 8, 24, 16))
    return picture


def saved(picture: Image.Image, file_format: str, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, file_format, **options)
    return stream.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_size(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    parts = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", body), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(base(), "PNG", exif=exif)


def noisy() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def grey16() -> Image.Image:
    return Image.fromarray(np.linspace(0, 65535, 24 * 16).reshape(16, 24).astype(np.uint16))


def frames() -> list[Image.Image]:
    return [Image.new("RGB", (24, 16), "black"), Image.new("RGB", (24, 16), "white")]


def transparent() -> Image.Image:
    picture = base().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 12, 8))
    return picture


def palette_with_transparency() -> bytes:
    picture = base().quantize(8)
    return saved(picture, "PNG", transparency=picture.getpixel((0, 0)))


BAD = {
    "empty": (b"", "empty"),
    "text": (b"not a picture at all", "not an image"),
    "html": (b"<!DOCTYPE html><title>404</title>", "not an image"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
    "pdf": (b"%PDF-1.7\n%%EOF", "not an image"),
    "zip": (b"PK\x05\x06" + b"\0" * 18, "not an image"),
    "random bytes": (np.random.default_rng(1).bytes(500), "not an image"),
    "zero bytes": (b"\0" * 500, "not an image"),
    "JPEG header only": (saved(noisy(), "JPEG")[:20], "not an image"),
    "JPEG cut in half": (saved(noisy(), "JPEG")[:3000], "truncated"),
    "PNG cut in half": (saved(noisy(), "PNG")[:3000], "truncated"),
    "GIF cut in half": (saved(noisy(), "GIF")[:2000], "truncated"),
    "BMP cut in half": (saved(noisy(), "BMP")[:3000], "truncated"),
    "WebP cut in half": (saved(noisy(), "WEBP", lossless=True)[:3000], "damaged"),
    "TIFF cut in half": (saved(noisy(), "TIFF", compression="tiff_lzw")[:3000], ""),
    "PNG with a flipped byte": (
        saved(noisy(), "PNG")[:900] + b"\xff\x00\xff" + saved(noisy(), "PNG")[903:],
        "damaged",
    ),
    "PNG without its pixels": (png_of_size(64, 64), "truncated"),
    "decompression bomb": (png_of_size(30_000, 30_000), "decompression bomb"),
    "half a decompression bomb": (png_of_size(10_000, 10_000), "decompression bomb"),
    "tracking pixel": (saved(Image.new("RGB", (1, 1)), "GIF"), "absurd size"),
    "one row": (saved(Image.new("RGB", (3000, 2)), "PNG"), "absurd size"),
    "endless strip": (saved(Image.new("RGB", (3000, 10)), "PNG"), "absurd size"),
    "BMP with negative size": (saved(base(), "BMP")[:18] + struct.pack("<ii", -5, 0) + saved(base(), "BMP")[26:], ""),
}

GOOD = {
    "JPEG named .png": (saved(base(), "JPEG", quality=95), "JPEG"),
    "PNG": (saved(base(), "PNG"), "PNG"),
    "BMP": (saved(base(), "BMP"), "BMP"),
    "TIFF": (saved(base(), "TIFF"), "TIFF"),
    "TIFF with LZW": (saved(base(), "TIFF", compression="tiff_lzw"), "TIFF"),
    "lossless WebP": (saved(base(), "WEBP", lossless=True), "WEBP"),
    "AVIF": (saved(base(), "AVIF", quality=100), "AVIF"),
    "JPEG 2000": (saved(base(), "JPEG2000"), "JPEG2000"),
    "PPM": (saved(base(), "PPM"), "PPM"),
    "TGA": (saved(base(), "TGA"), "TGA"),
    "ICO": (saved(base(), "ICO", sizes=[(24, 16)]), "ICO"),
    "CMYK JPEG": (saved(base().convert("CMYK"), "JPEG", quality=95), "JPEG"),
    "CMYK TIFF": (saved(base().convert("CMYK"), "TIFF"), "TIFF"),
    "TIFF with JPEG inside": (saved(base(), "TIFF", compression="jpeg", quality=95), "TIFF"),
    "progressive JPEG": (saved(base(), "JPEG", quality=95, progressive=True), "JPEG"),
    "palette": (saved(base().quantize(16), "PNG"), "PNG"),
    "opaque alpha": (saved(base().convert("RGBA"), "PNG"), "PNG"),
    "JPEG with bytes after its end": (saved(base(), "JPEG", quality=95) + b"\0trailing", "JPEG"),
    "JPEG with broken EXIF": (saved(base(), "JPEG", quality=95, exif=b"Exif\0\0MM\0*\0\0\xff\xff broken"), "JPEG"),
    "interlaced GIF": (saved(base(), "GIF", interlace=1), "GIF"),
}


@pytest.fixture
def corpus(tmp_path: Path):
    """A function that puts bytes into an oddly named folder and gives the facts of the file, and its decoded pixels."""

    def put(data: bytes, name: str = "bild 1.png"):
        folder = tmp_path / FOLDER
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        path = f"{FOLDER}/{name}"
        assert path in [file.path for file in list_folder(tmp_path, "", False).files]
        return look_at(str(tmp_path), [path])[0]

    return put


def decoded(data: bytes) -> np.ndarray:
    with quiet_decoding():
        return np.asarray(decode(data).image)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_with_its_reason(kind, corpus):
    data, reason = BAD[kind]
    facts = corpus(data)
    assert facts.reason.startswith(reason)
    assert facts.reason
    assert facts.pixels_sha256 == ""
    assert "\n" not in facts.reason


@pytest.mark.parametrize("kind", GOOD)
def test_an_odd_file_gives_the_picture_in_it(kind, corpus):
    data, file_format = GOOD[kind]
    facts = corpus(data)
    assert (facts.reason, facts.format, facts.width, facts.height) == ("", file_format, 24, 16)
    assert len(facts.pixels_sha256) == 64
    assert np.abs(decoded(data).astype(int) - np.asarray(base()).astype(int)).mean() < 12


def test_a_bad_file_does_not_harm_its_neighbours(tmp_path):
    for name, (data, _) in BAD.items():
        (tmp_path / name).write_bytes(data)
    for name, (data, _) in GOOD.items():
        (tmp_path / name).write_bytes(data)
    names = [*BAD, *GOOD]
    alone = [look_at(str(tmp_path), [name])[0] for name in names]
    assert look_at(str(tmp_path), names) == alone


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_the_orientation_in_the_file_is_applied(orientation, file_format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(file_format, {})
    picture = base()
    picture.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(picture)).astype(int)
    found = decoded(saved(base(), file_format, exif=exif, **options)).astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 12


def test_sixteen_bit_grey_keeps_its_range():
    found = decoded(saved(grey16(), "PNG"))
    expected = np.rint(np.asarray(grey16()) / 257).astype(np.uint8)
    assert (found == expected[:, :, None]).all()


def test_sixteen_bit_tiff_is_the_same_as_sixteen_bit_png():
    assert (decoded(saved(grey16(), "TIFF")) == decoded(saved(grey16(), "PNG"))).all()


def test_floating_point_grey_between_0_and_1_is_scaled():
    values = np.linspace(0, 1, 24 * 16, dtype=np.float32).reshape(16, 24)
    found = decoded(saved(Image.fromarray(values), "TIFF"))
    assert (found[:, :, 0] == np.rint(values * 255)).all()


def test_grey_is_grey():
    found = decoded(saved(base().convert("L"), "PNG"))
    assert (found == np.asarray(base().convert("L"))[:, :, None]).all()


def test_black_and_white_is_0_and_255():
    picture = Image.new("1", (24, 16))
    picture.paste(1, (0, 0, 12, 16))
    assert np.unique(decoded(saved(picture, "PNG"))).tolist() == [0, 255]


@pytest.mark.parametrize(
    "data",
    [
        saved(transparent(), "PNG"),
        saved(transparent(), "WEBP", lossless=True),
        saved(transparent().convert("LA"), "PNG"),
        palette_with_transparency(),
    ],
)
def test_transparency_is_laid_over_white(data):
    found = decoded(data)
    assert (found[2, 2] == 255).all()
    assert (found[12, 2] != 255).any()


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_counts(file_format, corpus):
    first, second = frames()
    facts = corpus(saved(first, file_format, save_all=True, append_images=[second]))
    assert facts.frames == 2
    assert facts.brightness < 5


def test_a_file_too_large_to_be_a_picture_is_refused_unread(tmp_path):
    with open(tmp_path / "huge.jpg", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    facts = look_at(str(tmp_path), ["huge.jpg"])[0]
    assert facts.reason.startswith("absurd size: 268,435,457 bytes")


def test_a_file_that_vanished_is_refused(tmp_path):
    assert look_at(str(tmp_path), ["gone.jpg"])[0].reason == "unreadable: no such file or directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="the super-user may read every file")
def test_a_file_without_permission_is_refused(tmp_path):
    (tmp_path / "secret.png").write_bytes(saved(base(), "PNG"))
    (tmp_path / "secret.png").chmod(0)
    assert look_at(str(tmp_path), ["secret.png"])[0].reason == "unreadable: permission denied"


@pytest.mark.parametrize(
    "name",
    ["two\nlines.png", "tab\t.png", 'quote".png', "комар.png", "e\u0301.png", "n" * 251 + ".png", "  .png", "a,b.png"],
)
def test_odd_names_are_read_like_any_other(name, corpus):
    assert corpus(saved(base(), "PNG"), name).reason == ""


def test_reading_gives_the_bytes_of_the_file(tmp_path):
    (tmp_path / "a").write_bytes(b"123")
    assert read_picture(str(tmp_path), "a") == b"123"
