"""Pictures written as squares into a memory map: run in child processes, so nothing heavy is imported here."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from datasets.decoding import Undecodable, decode, quiet_decoding
from datasets.errors import DataContractBroken
from datasets.facts import read_picture
from datasets.hashing import pixels_sha256
from datasets.resizing import Resize, square
from datasets.shelf import checksum

_AGAIN = "it changed since; give the same command again to look at the folder anew"


class Wanted(NamedTuple):
    """A picture that must be in a row of the map."""

    row: int
    path: str
    pixels_sha256: str


class Recipe(NamedTuple):
    """Where the pictures are, the file of the map, and the size and rule of its squares."""

    root: str
    file: str
    image_size: int
    resize: Resize


def write_squares(recipe: Recipe, wanted: Sequence[Wanted]) -> list[tuple[int, int]]:
    """Write these pictures into the map; the row and checksum of each.

    Raises:
        DataContractBroken: a file does not hold the picture that was scanned.
    """
    array = np.lib.format.open_memmap(recipe.file, "r+")
    written = []
    with quiet_decoding():
        for one in wanted:
            array[one.row] = square(_unchanged(recipe.root, one), recipe.image_size, recipe.resize)
            written.append((one.row, checksum(array[one.row])))
    return written


def _unchanged(root: str, wanted: Wanted) -> Image.Image:
    """The picture, which must be the one that was scanned."""
    try:
        image = decode(read_picture(root, wanted.path)).image
    except (OSError, Undecodable) as error:
        raise DataContractBroken(f"{wanted.path} can no longer be read ({error}): {_AGAIN}") from error
    if pixels_sha256(image) != wanted.pixels_sha256:
        raise DataContractBroken(f"{wanted.path} shows another picture than when it was scanned: {_AGAIN}")
    return image
