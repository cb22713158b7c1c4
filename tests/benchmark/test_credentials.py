"""Passwords leave every address before it is said or stored."""

import pytest

from benchmark.credentials import without_credentials
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
        ("images@2x.png and a://b", "images@2x.png and a://b"),
    ],
)
def test_what_stands_before_the_at_sign_is_hidden(text: str, left: str) -> None:
    assert without_credentials(text) == left


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
