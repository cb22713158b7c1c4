"""Writing a run's files, each whole or not at all; the record comes last."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import yaml

from benchmark.predictions import Predictions
from benchmark.records import RunRecord
from benchmark.spec import RunSpec
from benchmark.store.files import (
    KEPT_FILES,
    SPLIT_FILES,
    content_checksum,
    file_checksum,
    replacing,
    run_directory,
    write_text,
)


def write_record(directory: Path, record: RunRecord) -> None:
    """Put the run's record in its folder, a finished one with the checksums of the files that are there."""
    run = run_directory(directory, record.run_id)
    content = json.loads(record.model_dump_json())
    kept = [run / name for name in KEPT_FILES if record.finished and (run / name).is_file()]
    content["files"] = {path.name: file_checksum(path) for path in kept}
    content["sha256"] = content_checksum(content)
    write_text(run / "record.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_config(directory: Path, run_id: str, spec: RunSpec) -> None:
    """Put the resolved specification beside the record, readable."""
    text = yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_text(run_directory(directory, run_id) / "config.yaml", text)


def write_history(directory: Path, run_id: str, history: pd.DataFrame) -> None:
    """Put the epochs' metrics beside the record."""
    write_text(run_directory(directory, run_id) / "history.csv", history.to_csv(index=False, lineterminator="\n"))


def write_predictions(directory: Path, run_id: str, split: str, predictions: Predictions) -> None:
    """Put one split's predictions beside the record: a row for every picture, a column for every class."""
    names = [f"p{index}" for index in range(len(predictions.classes))]
    table = pd.DataFrame(predictions.probabilities, columns=names)
    table.insert(0, "image", predictions.images)
    table.insert(1, "group", predictions.groups)
    table.insert(2, "truth", predictions.truth)
    table.attrs["classes"] = list(predictions.classes)
    with replacing(run_directory(directory, run_id) / SPLIT_FILES[split]) as temporary:
        table.to_parquet(temporary, index=False)
