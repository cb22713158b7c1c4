"""Examined data sets kept on disk under a key of everything that decides them, so that the same is read back."""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import PIL

from datasets.crossing import Crossing
from datasets.facts import FACTS_VERSION
from datasets.files import new_folder
from datasets.manifest import COLUMNS, Manifest
from datasets.sources import SourceRows
from datasets.spec import DatasetSpec

MEMO_VERSION = 2
"""Raised when the same files and options would give another manifest."""

# They say how pictures are shown to a network, or name the whole: no manifest depends on them.
_NO_MATTER = {"name", "image_size", "resize"}


class Known(NamedTuple):
    """What is worth remembering of an examined data set; see `examine.Examined`."""

    manifest: Manifest
    pictures: pd.DataFrame
    pairs: pd.DataFrame
    crossing: Crossing | None


def key(spec: DatasetSpec, rows: SourceRows) -> str:
    """A hash of the options, of the code's versions, and of each file's path, size, time of change, label and split."""
    versions = [MEMO_VERSION, FACTS_VERSION, PIL.__version__, np.__version__, pd.__version__]
    rest = [sorted(rows.rejected), rows.passed_over, rows.notes, sorted(rows.classes)]
    digest = hashlib.sha256()
    digest.update(json.dumps([versions, str(rows.root), rest]).encode())
    digest.update(json.dumps(spec.model_dump(mode="json", exclude=_NO_MATTER)).encode())
    files = [entry.file for entry in rows.entries]
    digest.update(os.fsencode("\0".join([file.path for file in files])))
    digest.update(np.fromiter((file.size for file in files), np.int64).tobytes())
    digest.update(np.fromiter((file.mtime_ns for file in files), np.int64).tobytes())
    for column in ("label", "split", "group"):
        digest.update("\0".join([getattr(entry, column) or "" for entry in rows.entries]).encode())
    return digest.hexdigest()[:32]


def recall(cache_dir: Path, name: str) -> Known | None:
    """What is remembered under this key; None if nothing is, or if it is damaged."""
    folder = cache_dir / "manifests" / name
    try:
        rest = json.loads((folder / "rest.json").read_text(encoding="utf-8"))
        pictures, pairs, rejected = (
            pd.read_feather(folder / f"{table}.feather") for table in ("pictures", "pairs", "rejected")
        )
        os.utime(folder)
    except (OSError, ValueError, KeyError):  # pyarrow's errors are ValueErrors
        return None
    table = pictures.loc[pictures["split"] != "", list(COLUMNS)].reset_index(drop=True)
    manifest = Manifest(table, rejected, tuple(rest["classes"]), Path(rest["root"]), tuple(rest["notes"]))
    if manifest.fingerprint != rest["fingerprint"]:
        return None
    return Known(manifest, pictures, pairs, rest["crossing"] and Crossing(*rest["crossing"]))


def store(cache_dir: Path, name: str, known: Known) -> None:
    """Remember this under the key."""
    manifest = known.manifest
    rest = {
        "classes": manifest.classes,
        "root": str(manifest.root),
        "notes": manifest.notes,
        "fingerprint": manifest.fingerprint,
        "crossing": known.crossing,
    }
    with new_folder(cache_dir / "manifests" / name) as folder:
        for table in ("pictures", "pairs"):
            getattr(known, table).to_feather(folder / f"{table}.feather")
        manifest.rejected.to_feather(folder / "rejected.feather")
        (folder / "rest.json").write_text(json.dumps(rest), encoding="utf-8")
