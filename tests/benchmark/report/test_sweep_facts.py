"""Where the log of a failed run lies."""

from typing import Any

from benchmark import store
from benchmark.report.sweep_facts import failed_runs


def test_a_run_that_printed_nothing_leads_to_the_log_of_its_worker(sweep: Any) -> None:
    crashed = next(record for record in sweep.records() if record.status == "crashed")
    log = store.run_directory(sweep.directory, crashed.run_id) / "log.txt"

    def found() -> str:
        [failed] = failed_runs(sweep.directory, [crashed], [])
        return failed.log

    assert found() == ""
    log.touch()
    (sweep.directory / "worker.log").write_text("killed\n", "utf-8")
    assert found() == "worker.log"
    log.write_text("Traceback\n", "utf-8")
    assert found() == f"runs/{crashed.run_id}/log.txt"
