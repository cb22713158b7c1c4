"""An audit in numbers: what summary.json holds and what reports are drawn from."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from datasets.audit import Audit
from datasets.audit_advice import advice
from datasets.examine import LEFT_OUT
from datasets.spec import SPLITS

SCHEMA_VERSION = 1

_EXTENSIONS = {
    "JPEG": {"jpg", "jpeg", "jpe", "jfif"},
    "MPO": {"jpg", "jpeg", "mpo"},
    "TIFF": {"tif", "tiff"},
    "JPEG2000": {"jp2", "j2k", "jpx"},
    "BMP": {"bmp", "dib"},
    "PPM": {"ppm", "pgm", "pbm", "pnm"},
    "AVIF": {"avif", "avifs"},
    "PNG": {"png", "apng"},
}


def summary(audit: Audit) -> dict[str, Any]:
    """The audit in plain JSON values; the same for the same pictures and options, whatever the machine and folder."""
    manifest, pictures = audit.manifest, audit.pictures
    counts = manifest.counts
    return {
        "schema_version": SCHEMA_VERSION,
        "name": audit.spec.name,
        "fingerprint": manifest.fingerprint,
        "files": audit.looked.files,
        "pictures": len(manifest.table),
        "classes": {str(name): {split: int(row[split]) for split in SPLITS} for name, row in counts.iterrows()},
        "splits": {split: int(counts[split].sum()) for split in SPLITS},
        "imbalance": imbalance(audit),
        "rejected": rejected_by_reason(manifest.rejected).to_dict(),
        "formats": pictures["format"].value_counts().to_dict(),
        "wrong_extensions": int(wrong_extensions(pictures).sum()),
        "sizes": _sizes(pictures),
        "brightness": _quantiles(pictures["brightness"]),
        "copies": copies_in_numbers(audit),
        "leaks": {f"{one}->{other}": number for (one, other), number in audit.leaks.items()},
        "crossing": None if audit.crossing is None else audit.crossing._asdict(),
        "suggestions": list(advice(audit)),
        "notes": list(manifest.notes),
    }


def imbalance(audit: Audit) -> float:
    """How many times more pictures the largest class has than the smallest."""
    totals = audit.manifest.counts.sum(axis=1)
    return round(float(totals.max() / totals.min()), 2)


def rejected_by_reason(rejected: pd.DataFrame) -> "pd.Series[int]":
    """How many files were left out for each kind of reason, the most frequent first."""
    return reason_kinds(rejected).value_counts(sort=True).astype(int)


def reason_kinds(rejected: pd.DataFrame) -> "pd.Series[str]":
    """The kind of each rejection: the reason without what differs from file to file."""
    kinds = rejected["reason"].str.split(":", n=1).str[0].str.strip()
    return kinds.mask(kinds.str.startswith("copy of "), "copy of a picture that is used").rename("kind")


def wrong_extensions(pictures: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each picture's file name ends in what another format is called."""
    endings = pictures["path"].str.extract(r"\.([^./]+)$")[0].fillna("").str.lower()
    fits = [
        ending in _EXTENSIONS.get(kind, {kind.lower()})
        for ending, kind in zip(endings, pictures["format"], strict=True)
    ]
    return ~pd.Series(fits, index=pictures.index, dtype=bool)


def copies_in_numbers(audit: Audit) -> dict[str, Any]:
    """Groups and pictures, copies with one label apart from conflicts, and the links between them by kind."""
    alike = audit.copied & ~audit.disputed
    return {
        "same_label": {"groups": len(set(audit.groups[alike])), "pictures": int(alike.sum())},
        "conflicts": {"groups": len(set(audit.groups[audit.disputed])), "pictures": int(audit.disputed.sum())},
        "links": audit.pairs["kind"].value_counts().sort_index().astype(int).to_dict(),
    }


def left_out(audit: Audit) -> int:
    """How many readable pictures take no part."""
    return int((audit.pictures["split"] == LEFT_OUT).sum())


def _sizes(pictures: pd.DataFrame) -> Mapping[str, Any]:
    shorter = pictures[["width", "height"]].min(axis=1)
    return {
        "width": _quantiles(pictures["width"]),
        "height": _quantiles(pictures["height"]),
        "shorter_side": _quantiles(shorter),
        "aspect": _quantiles(pictures["width"] / pictures["height"]),
    }


def _quantiles(values: "pd.Series[float]") -> dict[str, float]:
    names = {"min": 0.0, "p10": 0.1, "median": 0.5, "p90": 0.9, "max": 1.0}
    return {name: round(float(values.quantile(share)), 3) for name, share in names.items()}
