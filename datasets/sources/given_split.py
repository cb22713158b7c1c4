"""Pictures in ready-made folders of splits, each with one folder per class."""

from pathlib import Path

from datasets.errors import DatasetUsageError, did_you_mean
from datasets.listing import Rejection, is_system_file, list_folder, normal_path, why_refused
from datasets.sources import Entry, SourceRows, source
from datasets.sources.folder import existing_root
from datasets.spec import STANDARD_NAMES, DatasetLocation, DatasetSpec, Split


@source
def given_split(spec: DatasetSpec, location: DatasetLocation, cache_dir: Path) -> SourceRows:
    """Every file below root/PART/CLASS, where `parts` maps each PART to its split."""
    root = existing_root(location, spec.source)
    entries: list[Entry] = []
    rejected: list[Rejection] = []
    classes: set[str] = set()
    passed_over = 0
    for part, split in _parts(root, spec):
        reason = why_refused(root, part, location.allow_outside_root)
        if reason:
            raise DatasetUsageError(f"found {part!r} as a part of {root}, which is {reason}")
        listing = list_folder(root, part, location.allow_outside_root)
        passed_over += listing.passed_over
        for file in listing.files:
            label, slash, _ = file.path.removeprefix(part + "/").partition("/")
            if slash:
                entries.append(Entry(file, label, split, None))
            else:
                rejected.append(Rejection(file.path, f"in no class folder: it lies directly in {part}", ""))
        for lost in listing.rejected:
            label, slash, _ = lost.path.removeprefix(part + "/").partition("/")
            rejected.append(lost._replace(label=label if slash else ""))
        classes |= {path.name for path in (root / part).iterdir() if path.is_dir() and not is_system_file(path.name)}
    return SourceRows(root, entries, rejected, passed_over, (), frozenset(classes))


def _parts(root: Path, spec: DatasetSpec) -> list[tuple[str, Split]]:
    """Each part's folder and its split."""
    folders = sorted(path.name for path in root.iterdir() if path.is_dir())
    if spec.parts is None:
        found = [(name, STANDARD_NAMES[name]) for name in folders if name in STANDARD_NAMES]
        if "train" not in dict(found).values():
            raise DatasetUsageError(
                f"no folder 'train' in {root}; name the folders with 'dataset.parts={{FOLDER: train, FOLDER: test}}'; "
                f"{did_you_mean('train', folders)}"
            )
        return found
    for part, _ in spec.parts:
        if not (root / part).is_dir():
            raise DatasetUsageError(f"dataset.parts names {part!r}, no folder of {root}; {did_you_mean(part, folders)}")
    if "train" not in dict(spec.parts).values():
        raise DatasetUsageError("dataset.parts names no folder for train: expected {FOLDER: train, FOLDER: test}")
    return [(normal_path(root, part), split) for part, split in spec.parts]
