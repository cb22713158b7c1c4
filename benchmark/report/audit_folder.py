"""The folder of an audit: results/audits/<name>/, written file by file, whole when summary.json is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from benchmark import store
from benchmark.report.audit import audit_page
from benchmark.report.page import templates_digest
from datasets.audit import Audit
from datasets.audit_summary import summary
from datasets.manifest import to_csv_text

REPORT_VERSION = 1

_FILES = ("manifest.csv", "quarantine.csv", "copies.csv", "audit.html")


class KeptAudit(NamedTuple):
    """An audit's summary, its folder, whether it had to be written, and whether it took the place of another."""

    summary: Mapping[str, Any]
    path: Path
    written: bool
    replaced: bool


def keep(audit: Audit, results: Path) -> KeptAudit:
    """Put the audit into its folder below `results`, unless the same one is there already."""
    path = results / "audits" / audit.spec.name
    content = summary(audit)
    content["report"] = _identity(audit, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if _is_whole(path, content, audit.manifest.root):
            return KeptAudit(content, path, written=False, replaced=False)
        replaced = (path / "summary.json").exists()
        # Without its summary a folder is unfinished: old and new files are never taken for one audit.
        (path / "summary.json").unlink(missing_ok=True)
        audit.manifest.to_csv(path / "manifest.csv")
        store.write_text(path / "copies.csv", to_csv_text(audit.copies))
        store.write_text(path / "audit.html", audit_page(audit, content))
        store.write_text(path / "summary.json", json_text(content))
    return KeptAudit(content, path, written=True, replaced=replaced)


def json_text(content: Mapping[str, Any]) -> str:
    """The summary as it stands in summary.json."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _identity(audit: Audit, content: Mapping[str, Any]) -> str:
    """A hash of all that the files of the audit are made from."""
    tables = [to_csv_text(table) for table in (audit.manifest.table, audit.manifest.rejected, audit.copies)]
    parts = [str(REPORT_VERSION), templates_digest(), audit.spec.model_dump_json(), json_text(content), *tables]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _is_whole(path: Path, content: Mapping[str, Any], root: Path) -> bool:
    """Whether this very audit of this very folder is there with all its files."""
    try:
        if json.loads((path / "manifest.json").read_text("utf-8"))["root"] != str(root):
            return False
        text = (path / "summary.json").read_text("utf-8")
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return text == json_text(content) and all((path / name).is_file() for name in _FILES)
