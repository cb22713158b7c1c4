"""Real stores and servers: many processes at once, and a server that goes away in the middle; the short forms."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parent


def script(name: str) -> ModuleType:
    """One of the scripts beside this file."""
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


STORES = [("sqlite", 6), ("postgresql", 2)]
STORES += [("server-postgresql", 2)] if os.environ.get("BENCH_TESTS") == "all" else []


@pytest.mark.parametrize(("kind", "runs"), STORES)
def test_processes_that_meet_at_a_fresh_store_lose_nothing(kind: str, runs: int, tmp_path: Path) -> None:
    needed = script("servers").postgres_programs(), importlib.util.find_spec("psycopg2")
    if kind != "sqlite" and None in needed:
        pytest.skip("needs Debian's postgresql and psycopg2-binary")
    storm = script("tracking_storm")
    with storm.address(kind, tmp_path) as uri:
        assert storm.storm(uri, tmp_path, processes=3 if kind == "sqlite" else 2, runs=runs).lost == []


def test_a_server_that_is_gone_for_a_while_misses_nothing(tmp_path: Path) -> None:
    found = script("lost_server").outage(tmp_path, seconds=1, seeds=4)
    assert found.code == 0, found.said
    assert found.finished_without > 0
    assert found.differences == [], found.said
    assert "Traceback" not in found.said
