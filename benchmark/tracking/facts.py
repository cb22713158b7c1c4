"""What MLflow holds of a record: parameters, metrics, tags and files, the same however they get there."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric

from benchmark.board.markdown import escaped
from benchmark.records import RunRecord
from benchmark.spec import AXES, RunSpec, flatten
from datasets.manifest import Manifest

STATUSES = {"ok": "FINISHED", "interrupted": "KILLED", "running": "RUNNING"}
"""MLflow's word for a run's status; every other one is FAILED."""
LONGEST_PARAMETER = 500
NOTE = "mlflow.note.content"
NAME = "mlflow.runName"
PARENT = "mlflow.parentRunId"
SOURCE = {"mlflow.source.name": "python -m benchmark", "mlflow.source.type": "LOCAL"}
"""What made a run, for MLflow's column of that name."""
_SPLITS = ("train", "val", "test")


def axes(record: RunRecord) -> dict[str, str]:
    """The names a person tells runs apart by."""
    if not isinstance(record.spec, RunSpec):
        return {"backbone": record.spec.baseline}
    names = {axis: getattr(record.spec, axis).name for axis in AXES}
    return {**names, "backbone": record.spec.backbone.application or record.spec.backbone.name}


def parameters(record: RunRecord) -> dict[str, str]:
    """The specification, flat and readable: `backbone`, `head`, ..., then `training.learning_rate` and the rest."""
    content = flatten(record.spec.model_dump(mode="json"))
    rest = {key: value for key, value in content.items() if value is not None and not key.endswith(".name")}
    return {key: str(value)[:LONGEST_PARAMETER] for key, value in {**axes(record), **rest}.items()}


def results(record: RunRecord) -> dict[str, float]:
    """Test and chosen validation metrics, size and cost, as MLflow metrics; the word before `/` is their section."""
    numbers: dict[str, Any] = {f"test/{key}": value for key, value in record.test.items()}
    numbers |= {f"best_val/{key}": value for key, value in record.val.items()}
    if record.parameters:
        numbers |= {f"parameters/{key}": value for key, value in record.parameters.model_dump().items()}
    if record.cost:
        numbers |= {f"cost/{key}": value for key, value in flatten(record.cost.model_dump()).items()}
    return numeric(numbers)


def sectioned(name: str, section: str) -> str:
    """`val/loss` for `val_loss`, and `epoch/seconds` for `seconds` in the section `epoch`: MLflow draws by sections."""
    split, _, metric = name.partition("_")
    return f"{split}/{metric}" if split in _SPLITS and metric else f"{section}/{name}"


def epoch_metrics(row: Mapping[str, Any], milliseconds: int) -> list[Metric]:
    """One epoch's numbers as MLflow metrics; the time is since 1970."""
    numbers = numeric({str(key): value for key, value in row.items() if key not in ("event", "epoch")})
    return [Metric(sectioned(key, "epoch"), value, milliseconds, int(row["epoch"])) for key, value in numbers.items()]


def history_metrics(history: pd.DataFrame, milliseconds: int) -> list[Metric]:
    """All epochs of a run's history.csv as MLflow metrics."""
    rows = history.to_dict("records")
    return [metric for row in rows for metric in epoch_metrics({str(key): row[key] for key in row}, milliseconds)]


def identity_tags(record: RunRecord) -> dict[str, str]:
    """What runs are filtered and grouped by."""
    tags = {"kind": "run" if isinstance(record.spec, RunSpec) else "baseline"}
    tags |= {"sweep": record.sweep, "run_id": record.run_id, "candidate": record.candidate}
    tags |= axes(record)
    tags |= {"seed": str(record.seed), "fingerprint": record.fingerprint, "command": record.command}
    code = record.environment
    if "commit" in code:
        tags |= {"commit": str(code["commit"]), "dirty": str(code.get("dirty", "")).lower()}
    return tags | SOURCE


def ending_tags(record: RunRecord, checksum: str) -> dict[str, str]:
    """What is known when a run has ended; `record` is the checksum of the record that MLflow holds."""
    tags = {"status": record.status, "record": checksum, NOTE: note(record)}
    if record.failure:
        tags["failure"] = record.failure.told[:LONGEST_PARAMETER]
    return tags


def note(record: RunRecord) -> str:
    """The description of a run, in Markdown; its first lines are what MLflow shows unasked."""
    lines = []
    if record.finished and record.primary in record.test:
        chosen = f" (validation {record.val[record.primary]:.4f})" if record.primary in record.val else ""
        epochs = f", with the weights of epoch {record.cost.best_epoch} of {record.cost.epochs}" if record.cost else ""
        lines.append(f"{record.primary} {record.test[record.primary]:.4f} on the test split{chosen}{epochs}.")
    if record.failure:
        lines.append(f"{record.status}: {escaped(record.failure.told)}")
    lines += [f"- {escaped(sentence)}" for sentence in record.notes]
    lines += [f"`{record.run_id}`", "To run it again:", f"```\n{record.again()}\n```"]
    if record.again() != record.command:
        lines += ["without its folder:", f"```\n{record.command}\n```"]
    return "\n\n".join(lines)[:5000]


def readable(record: RunRecord) -> str:
    """The name shown in the table of runs until the board knows a shorter one."""
    names = [value for value in axes(record).values() if value != "none"]
    if not isinstance(record.spec, RunSpec):
        return f"{names[0]} (baseline)"
    return seed_name(record.seed, record.spec.dataset.fold, " · ".join(names))


def seed_name(seed: object, fold: object, candidate: str) -> str:
    """`seed 0 · lenet`: what differs between the runs of a candidate comes first, as MLflow's column is narrow."""
    return " · ".join([f"seed {seed}", *([] if fold is None else [f"fold {fold}"]), candidate])


def dataset_input(name: str, manifest: Manifest) -> DatasetInput:
    """The data set as MLflow shows it: name, fingerprint, folder and counts."""
    profile = json.dumps(manifest.counts.to_dict())
    digest = manifest.fingerprint[:36]
    source = json.dumps({"root": str(manifest.root)})
    dataset = Dataset(name=name, digest=digest, source_type="local", source=source, profile=profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])


def milliseconds(moment: str) -> int | None:
    """An ISO 8601 time as milliseconds since 1970; None for an empty one."""
    return int(datetime.datetime.fromisoformat(moment).timestamp() * 1000) if moment else None


def numeric(values: Mapping[str, Any]) -> dict[str, float]:
    """Those values that MLflow can hold as metrics."""
    return {
        key: float(value)
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
