"""Pictures in one folder per class."""

from pathlib import Path

from datasets.errors import DatasetUsageError
from datasets.listing import Listing, Rejection, list_folder
from datasets.sources import Entry, SourceRows, source
from datasets.spec import DatasetLocation, DatasetSpec


@source
def folder(spec: DatasetSpec, location: DatasetLocation, cache_dir: Path) -> SourceRows:
    """Every file below a folder directly under the root bears that folder's name as its label."""
    root = existing_root(location, spec.source)
    return rows_of(root, list_folder(root, "", location.allow_outside_root))


def rows_of(root: Path, listing: Listing) -> SourceRows:
    """Labels taken from the first folder of each path."""
    entries: list[Entry] = []
    rejected: list[Rejection] = []
    for file in listing.files:
        label, slash, _ = file.path.partition("/")
        if slash:
            entries.append(Entry(file, label, None, None))
        else:
            rejected.append(Rejection(file.path, "in no class folder: it lies directly in the root", ""))
    for lost in listing.rejected:
        label, slash, _ = lost.path.partition("/")
        rejected.append(lost._replace(label=label if slash else ""))
    return SourceRows(root, entries, rejected, listing.passed_over, (), frozenset(_folders(root)))


def existing_root(location: DatasetLocation, source_name: str) -> Path:
    """The root folder, absolute.

    Raises:
        DatasetUsageError: none is given, or it is no folder.
    """
    if location.root is None:
        raise DatasetUsageError(f"dataset.root is not set: source {source_name!r} needs the folder of the pictures")
    if not location.root.is_dir():
        kind = "is not a folder" if location.root.exists() else "does not exist"
        raise DatasetUsageError(
            f"dataset.root={location.root} {kind}: expected the folder of the pictures; check the path"
        )
    return location.root.resolve()


def _folders(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
