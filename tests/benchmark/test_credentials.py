"""Passwords leave every address before it is said or stored."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.credentials import stripped, without_credentials
from benchmark.records import Baseline, RunRecord


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("sqlite:////a/mlflow.db", "sqlite:////a/mlflow.db"),
        ("http://me:secret@host:5000/a", "http://***@host:5000/a"),
        ("postgresql+psycopg2://me:s/ec@ret@host/db", "postgresql+psycopg2://***@host/db"),
        ("said 'https://secret@host' and http://other", "said 'https://***@host' and http://other"),
        ("http://host/?a=1&password=secret&b=2", "http://host/?a=1&password=***&b=2"),
        ("postgresql://host/db?sslpassword=secret;api_key=secret", "postgresql://host/db?sslpassword=***;api_key=***"),
        (r"'tracking.uri=http\://me\:secret@host\:5'", r"'tracking.uri=http\://***@host\:5'"),
        ("images@2x.png and a://b", "images@2x.png and a://b"),
    ],
)
def test_what_stands_before_the_at_sign_is_hidden(text: str, left: str) -> None:
    assert without_credentials(text) == left


@pytest.mark.parametrize(
    ("uri", "left"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://me:secret@host/a?token=secret&b=2", "http://host/a?b=2"),
        ("postgresql+psycopg2://me:s/ec@ret@host/db?password=secret", "postgresql+psycopg2://host/db"),
    ],
)
def test_an_address_without_credentials_still_leads_there(uri: str, left: str) -> None:
    assert stripped(uri) == left


def test_a_record_never_holds_a_password() -> None:
    record = RunRecord(
        run_id="one",
        candidate="one",
        sweep="test",
        spec=Baseline(baseline="majority", dataset="test", image_size=0, fold=None),
        fingerprint="f" * 64,
        classes=("a", "b"),
        status="ok",
        primary="accuracy",
        command="python -m benchmark 'tracking.uri=http://me:secret@host'",
    )
    assert "secret" not in record.model_dump_json()


def test_a_sweep_with_a_password_in_its_command_leaves_it_nowhere(tmp_path: Path) -> None:
    words = [
        sys.executable, "-m", "benchmark", "-m", "dataset=digits", "dataset.max_per_class=10", "backbone=lenet",
        "report.level=none", f"paths.results={tmp_path}", "tracking.uri=http://me:hunter2@127.0.0.1:9",
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "http://***@127.0.0.1:9" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "record.json" for path in files)
    assert not [path for path in files if b"hunter2" in path.read_bytes()]
