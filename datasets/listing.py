"""The files below a folder, and those that cannot be taken, without opening any."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SYSTEM_FILES = frozenset(
    {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "__macosx", "@eadir"}
)


class FileState(NamedTuple):
    """A file's path (relative to the root, or absolute outside it), size in bytes and time of change in ns."""

    path: str
    size: int
    mtime_ns: int


class Rejection(NamedTuple):
    """A file that is left out, the reason, and the class it would have belonged to."""

    path: str
    reason: str
    label: str


@dataclass
class Listing:
    """What a walk through a folder found."""

    files: list[FileState] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    passed_over: int = 0
    """Hidden files and thumbnails of operating systems."""


def printable(path: str) -> str:
    """The path with bytes that are not UTF-8 written as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_system_file(name: str) -> bool:
    """Whether the name is hidden or one that an operating system leaves behind."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def list_folder(root: Path, folder: str, allow_outside_root: bool) -> Listing:
    """Every file below root/folder ('' for the root itself), sorted by path; labels of rejections are left empty."""
    listing = Listing()
    real_root = os.path.realpath(root)
    _walk(
        os.path.join(real_root, folder) if folder else real_root, folder, _Walk(real_root, allow_outside_root), listing
    )
    listing.files.sort()
    listing.rejected.sort()
    return listing


def state_of(root: Path, path: str, allow_outside_root: bool) -> FileState | Rejection:
    """One file, given by its path relative to the root or absolute, or why it cannot be taken."""
    real_root = os.path.realpath(root)
    full = os.path.join(real_root, path)
    reason = _unusable_name(path) or _leaves(full, real_root, allow_outside_root)
    if reason:
        return Rejection(printable(path), reason, "")
    try:
        return _state(path, os.stat(full))
    except OSError as error:
        return Rejection(printable(path), _unreadable(error), "")


class _Walk(NamedTuple):
    root: str
    allow_outside_root: bool


def _walk(directory: str, relative: str, walk: _Walk, listing: Listing) -> None:
    try:
        with os.scandir(directory) as entries:
            found = list(entries)
    except OSError as error:
        listing.rejected.append(Rejection(printable(relative), _unreadable(error), ""))
        return
    for entry in found:
        path = f"{relative}/{entry.name}" if relative else entry.name
        if is_system_file(entry.name):
            listing.passed_over += 1
            continue
        outcome = _look_at(entry, path, walk)
        if outcome is None:
            _walk(entry.path, path, walk, listing)
        elif isinstance(outcome, Rejection):
            listing.rejected.append(outcome)
        else:
            listing.files.append(outcome)


def _look_at(entry: os.DirEntry[str], path: str, walk: _Walk) -> FileState | Rejection | None:
    """The file's state, or why it is left out, or None for a folder to go into."""
    reason = _unusable_name(entry.name)
    try:
        if not reason and entry.is_symlink():
            reason = _leaves(entry.path, walk.root, walk.allow_outside_root)
            if not reason and entry.is_dir() and _is_ancestor(entry.path):
                reason = "symlink loop: the link leads to a folder above itself"
        if reason:
            return Rejection(printable(path), reason, "")
        return None if entry.is_dir() else _state(path, entry.stat())
    except OSError as error:
        return Rejection(printable(path), _unreadable(error), "")


def _state(path: str, status: os.stat_result) -> FileState | Rejection:
    if not stat.S_ISREG(status.st_mode):
        return Rejection(printable(path), "not a regular file: a pipe, socket, device or folder", "")
    return FileState(path, status.st_size, status.st_mtime_ns)


def _unusable_name(name: str) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "name is not valid UTF-8: rename the file"
    return ""


def _leaves(full: str, real_root: str, allow_outside_root: bool) -> str:
    """Why a path that may be a link leads nowhere good; '' if it does."""
    try:
        target = os.path.realpath(full, strict=True)
    except OSError as error:
        return _unreadable(error)
    if not allow_outside_root and target != real_root and not target.startswith(real_root + os.sep):
        return "outside of the root: set allow_outside_root=true if that is meant"
    return ""


def _is_ancestor(link: str) -> bool:
    target = os.path.realpath(link)
    parent = os.path.realpath(os.path.dirname(link))
    return parent == target or parent.startswith(target.rstrip(os.sep) + os.sep)


def _unreadable(error: OSError) -> str:
    text = os.strerror(error.errno) if error.errno else str(error)
    if isinstance(error, PermissionError):
        return f"unreadable: {text.lower()}"
    if isinstance(error, FileNotFoundError):
        return "missing: no such file, or a link that leads nowhere"
    return f"symlink loop: {text.lower()}" if "symbolic" in text else f"unreadable: {text.lower()}"
