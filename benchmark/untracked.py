"""Untracked: what stands in MLflow's place where it is not wanted, and where it is not to be loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.board.table import Leaderboard
from benchmark.records import RunRecord
from datasets.manifest import Manifest


class NoTracker:
    """Nothing but the results folder."""

    uri = None

    def start(self, record: RunRecord, manifest: Manifest) -> None:
        """Log nothing."""

    def epoch(self, run_id: str, row: Mapping[str, Any]) -> None:
        """Log nothing."""

    def finish(self, record: RunRecord, directory: Path) -> None:
        """Log nothing."""

    def board(self, board: Leaderboard) -> None:
        """Log nothing."""

    def close(self, status: str) -> None:
        """Log nothing."""
