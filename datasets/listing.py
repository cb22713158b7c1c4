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


def normal_path(root: Path, path: str) -> str:
    """The path without detours, relative to the root where it leads into it."""
    normal = os.path.normpath(path.replace("\\", "/") if os.sep == "\\" else path)
    if not os.path.isabs(normal):
        return normal
    within = os.path.relpath(os.path.realpath(normal), os.path.realpath(root))
    return normal if within.startswith("..") else within


def why_refused(root: Path, path: str, allow_outside_root: bool) -> str:
    """Why a file or folder, relative to the root or absolute, cannot be taken; '' if it can."""
    real_root = os.path.realpath(root)
    return _unusable_name(path) or _leaves(os.path.join(real_root, path), real_root, allow_outside_root)


def list_folder(root: Path, folder: str, allow_outside_root: bool) -> Listing:
    """Every file below root/folder ('' for the root itself), sorted by path; labels of rejections are left empty."""
    walk = _Walk(os.path.realpath(root), allow_outside_root, Listing())
    walk.into(os.path.realpath(os.path.join(root, folder)), folder, ())
    walk.listing.files.sort()
    walk.listing.rejected.sort()
    return walk.listing


def state_of(root: Path, path: str, allow_outside_root: bool) -> FileState | Rejection:
    """One file, given by its path relative to the root or absolute, or why it cannot be taken."""
    reason = why_refused(root, path, allow_outside_root)
    if reason:
        return Rejection(printable(path), reason, "")
    try:
        return _state(path, os.stat(os.path.join(root, path)))
    except OSError as error:
        return Rejection(printable(path), _unreadable(error), "")


@dataclass(frozen=True)
class _Walk:
    root: str
    allow_outside_root: bool
    listing: Listing

    def into(self, directory: str, relative: str, above: tuple[str, ...]) -> None:
        """List a folder, given by its real path; `above` holds the real paths of the folders that led here."""
        try:
            with os.scandir(directory) as entries:
                found = list(entries)
        except OSError as error:
            self._reject(relative, _unreadable(error))
            return
        prefix = f"{relative}/" if relative else ""
        for entry in found:
            name = entry.name
            if is_system_file(name):
                self.listing.passed_over += 1
                continue
            try:
                if name.isascii() and entry.is_file(follow_symlinks=False):
                    # Nearly every file takes this way, so it does no more than it must.
                    status = entry.stat()
                    self.listing.files.append(FileState(prefix + name, status.st_size, status.st_mtime_ns))
                else:
                    self._take(entry, prefix + name, (*above, directory))
            except OSError as error:
                self._reject(prefix + name, _unreadable(error))

    def _take(self, entry: os.DirEntry[str], path: str, above: tuple[str, ...]) -> None:
        reason = _unusable_name(entry.name)
        if not reason and entry.is_symlink():
            reason = _leaves(entry.path, self.root, self.allow_outside_root)
        if reason:
            self._reject(path, reason)
        elif entry.is_dir():
            target = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            if target in above:
                self._reject(path, "symlink loop: the link leads to a folder above itself")
            else:
                self.into(target, path, above)
        else:
            outcome = _state(path, entry.stat())
            if isinstance(outcome, FileState):
                self.listing.files.append(outcome)
            else:
                self.listing.rejected.append(outcome)

    def _reject(self, path: str, reason: str) -> None:
        self.listing.rejected.append(Rejection(printable(path), reason, ""))


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


def _unreadable(error: OSError) -> str:
    text = os.strerror(error.errno) if error.errno else str(error)
    if isinstance(error, PermissionError):
        return f"unreadable: {text.lower()}"
    if isinstance(error, FileNotFoundError):
        return "missing: no such file, or a link that leads nowhere"
    return f"symlink loop: {text.lower()}" if "symbolic" in text else f"unreadable: {text.lower()}"
