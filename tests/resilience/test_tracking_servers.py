"""Real stores and servers: many processes at once, and a server that goes away in the middle; the short forms."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmark import tracking

HERE = Path(__file__).resolve().parent


def script(name: str) -> ModuleType:
    """One of the scripts beside this file."""
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(HERE))


def test_processes_that_meet_at_a_fresh_database_lose_nothing(tmp_path: Path) -> None:
    found = script("tracking_storm").storm(tracking.default_uri(tmp_path), tmp_path, processes=3, runs=8)
    assert found.lost == []


def test_processes_that_meet_at_a_fresh_postgresql_lose_nothing(tmp_path: Path) -> None:
    servers = script("servers")
    programs = servers.postgres_programs()
    if programs is None or importlib.util.find_spec("psycopg2") is None:
        pytest.skip("needs Debian's postgresql and psycopg2-binary")
    with servers.postgres(programs) as uri:
        assert script("tracking_storm").storm(uri, tmp_path, processes=3, runs=8).lost == []


def test_a_server_that_is_gone_for_a_while_misses_nothing(tmp_path: Path) -> None:
    found = script("lost_server").outage(tmp_path, seconds=6, seeds=6)
    assert found.code == 0, found.said
    assert found.differences == [], found.said
    assert "Traceback" not in found.said
