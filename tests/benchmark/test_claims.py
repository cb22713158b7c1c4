"""Claims: one process at a run, and none for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmark import claims
from benchmark.records import Baseline, RunRecord, Status

CLAIMING = """
import sys, time
from pathlib import Path
from benchmark import claims
lock = claims.claim(Path(sys.argv[1]), "a")
print(lock is not None, flush=True)
time.sleep(600)
"""


def record(status: Status) -> RunRecord:
    spec = Baseline(baseline="majority", dataset="drawn", image_size=0, fold=None)
    return RunRecord(
        run_id="a", candidate="a", sweep="drawn", spec=spec, fingerprint="f", classes=("a", "b"), status=status,
        primary="accuracy", command="",
    )  # fmt: skip


def test_a_claim_of_another_process_lasts_as_long_as_that_process(tmp_path: Path) -> None:
    assert not claims.is_under_way(tmp_path, record("running"))
    with subprocess.Popen([sys.executable, "-c", CLAIMING, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert claims.is_under_way(tmp_path, record("running"))
        assert not claims.is_under_way(tmp_path, record("ok"))
        assert claims.claim(tmp_path, "a") is None
        other.kill()
    assert not claims.is_under_way(tmp_path, record("running"))
    lock = claims.claim(tmp_path, "a")
    assert lock is not None
    lock.release()


def test_asking_takes_no_claim(tmp_path: Path) -> None:
    assert not claims.is_under_way(tmp_path, record("running"))
    assert list(tmp_path.iterdir()) == []
