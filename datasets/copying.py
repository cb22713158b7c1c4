"""A cleaned copy of a folder: every readable picture once, at one size and in one format."""

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import pandas as pd
from PIL import Image

from datasets.decoding import Undecodable, decode, quiet_decoding
from datasets.errors import DataContractBroken, DatasetUsageError
from datasets.facts import Facts, read_picture
from datasets.files import new_folder
from datasets.listing import list_folder
from datasets.manifest import REJECTED_COLUMNS
from datasets.processes import Progress, completed, process_pool
from datasets.resizing import Resize, square_image
from datasets.scan import scan

Format = Literal["png", "jpg", "webp"]

_SAVED: dict[Format, dict[str, Any]] = {
    "png": {"format": "PNG", "optimize": True},
    "jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    "webp": {"format": "WEBP", "lossless": True},
}
_CHUNK = 64
_WORTH_A_POOL = 300
_LONGEST_NAME = 255


class Encoding(NamedTuple):
    """What every picture of a copy becomes: a square of `side` pixels, cut by a rule, in a file of a format."""

    side: int
    resize: Resize
    format: Format


class Copied(NamedTuple):
    """What a cleaned copy holds and what it saved."""

    pictures: int
    bytes_before: int
    """Of all files that were found, broken ones and copies too."""
    bytes_after: int
    enlarged: int
    """Pictures whose shorter side was below the size."""
    rejected: pd.DataFrame
    """Columns path, reason, class: every file that was left out."""


class _Written(NamedTuple):
    path: str
    reason: str
    bytes: int


class _Order(NamedTuple):
    source: str
    target: str


def copy_cleaned(
    root: Path, out: Path, encoding: Encoding, cache_dir: Path, workers: int, progress: Progress | None
) -> Copied:
    """Write a square, re-encoded copy of every readable picture below `root` to the same folders below `out`.

    Of pictures with the same pixels in one folder the first is taken. `out` appears when all is written.

    Raises:
        DatasetUsageError: `root` is no folder, or `out` is in use or within `root`.
        DataContractBroken: there is no readable picture.
    """
    root, out = root.absolute(), out.absolute()
    _refuse_places(root, out)
    listing = list_folder(root, "", allow_outside_root=False)
    looked = scan(root.resolve(), listing.files, cache_dir, workers, progress)
    rejected = [(lost.path, lost.reason, _folder(lost.path)) for lost in listing.rejected]
    rejected += [(fact.path, fact.reason, _folder(fact.path)) for fact in looked.facts if fact.reason]
    usable, surplus = _each_once([fact for fact in looked.facts if not fact.reason])
    if not usable:
        raise DataContractBroken(f"found no readable picture in {root}: expected pictures in it or in its folders")
    orders = [_Order(fact.path, name) for fact, name in zip(usable, _names(usable, encoding.format), strict=True)]
    written: list[_Written] = []
    with new_folder(out) as unfinished:
        for folder in {os.path.dirname(order.target) for order in orders}:
            (unfinished / folder).mkdir(parents=True, exist_ok=True)
        for part in _carried_out(partial(_write, str(root), str(unfinished), encoding), orders, workers):
            written += part
            if progress is not None:
                progress(len(written), len(orders))
    rejected += [*surplus, *((one.path, one.reason, _folder(one.path)) for one in written if one.reason)]
    return Copied(
        pictures=sum(not one.reason for one in written),
        bytes_before=sum(file.size for file in listing.files),
        bytes_after=sum(one.bytes for one in written),
        enlarged=sum(min(fact.width, fact.height) < encoding.side for fact in usable),
        rejected=pd.DataFrame(sorted(rejected), columns=list(REJECTED_COLUMNS), dtype=str),
    )


def _refuse_places(root: Path, out: Path) -> None:
    if not root.is_dir():
        raise DatasetUsageError(f"found no folder {root}: expected the folder of the pictures; check the path")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DatasetUsageError(f"{out} is in use: expected a new or empty folder for the copy; choose another one")
    if out.resolve().is_relative_to(root.resolve()):
        raise DatasetUsageError(f"{out} lies within {root}: expected a folder beside it; choose another one")


def _each_once(facts: Sequence[Facts]) -> tuple[list[Facts], list[tuple[str, str, str]]]:
    """The first of equal pictures in each folder, and the others as rejections."""
    first: dict[tuple[str, str], Facts] = {}
    surplus = []
    for fact in facts:
        kept = first.setdefault((_folder(fact.path), fact.pixels_sha256), fact)
        if kept is not fact:
            surplus.append((fact.path, f"copy of {kept.path}", _folder(fact.path)))
    return list(first.values()), surplus


def _folder(path: str) -> str:
    return os.path.dirname(path)


def _names(facts: Sequence[Facts], ending: str) -> list[str]:
    """A path below the copy for each picture: its own with the new ending, made longer where two would be equal."""
    taken: set[str] = set()
    names = []
    for fact in facts:
        path = PurePosixPath(fact.path)
        name = _fitting(path.stem, ending)
        if str(path.with_name(name)).casefold() in taken:
            name = _fitting(path.name, ending)
        while str(path.with_name(name)).casefold() in taken:
            name = _fitting(f"{path.name}-{hashlib.sha256(name.encode()).hexdigest()[:8]}", ending)
        target = str(path.with_name(name))
        taken.add(target.casefold())
        names.append(target)
    return names


def _fitting(stem: str, ending: str) -> str:
    """The file name, its middle replaced by a hash if it would be too long for a file system."""
    name = f"{stem}.{ending}"
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(stem.encode()).hexdigest()[:12]
    room = _LONGEST_NAME - len(f"-{digest}.{ending}")
    return f"{stem.encode()[:room].decode('utf-8', 'ignore')}-{digest}.{ending}"


def _carried_out(work: "partial[list[_Written]]", orders: Sequence[_Order], workers: int) -> Iterator[list[_Written]]:
    chunks = [orders[start : start + _CHUNK] for start in range(0, len(orders), _CHUNK)]
    if workers < 2 or len(orders) < _WORTH_A_POOL:
        yield from map(work, chunks)
        return
    with process_pool(min(workers, len(chunks))) as pool:
        for _, future in completed(pool, work, chunks, 2 * workers):
            yield future.result()


def _write(root: str, out: str, encoding: Encoding, orders: Sequence[_Order]) -> list[_Written]:
    """Write these pictures. Runs in child processes."""
    written = []
    with quiet_decoding():
        for order in orders:
            try:
                image = decode(read_picture(root, order.source)).image
            except (OSError, Undecodable) as error:
                written.append(_Written(order.source, f"changed while it was copied: {error}", 0))
                continue
            data = _encoded(square_image(image, encoding.side, encoding.resize), encoding.format)
            Path(out, order.target).write_bytes(data)
            written.append(_Written(order.source, "", len(data)))
    return written


def _encoded(image: Image.Image, file_format: Format) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **_SAVED[file_format])
    return buffer.getvalue()
