"""Settlement: whether MLflow holds all that the records of a sweep say, known without loading MLflow."""

from __future__ import annotations

from pathlib import Path

MARK = ".mlflow-unsettled"


def note_unsettled(directory: Path) -> None:
    """Leave a mark that MLflow may lack something of this sweep; it outlives a sweep that is killed."""
    (directory / MARK).touch()


def note_settled(directory: Path) -> None:
    """Take the mark away: MLflow holds all that the records say."""
    (directory / MARK).unlink(missing_ok=True)


def is_unsettled(directory: Path) -> bool:
    """Whether an earlier call ended before MLflow had everything, so that it is worth opening."""
    return (directory / MARK).exists()
