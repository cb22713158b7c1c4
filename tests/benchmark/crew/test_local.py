"""The worker process is replaced when it must be, and only then."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from benchmark import config, store
from benchmark.crew import Death, Event, LocalCrew, process
from benchmark.jobs import Assignment, Job, Order
from benchmark.records import RunRecord

CONF = Path(__file__).resolve().parents[3] / "conf"


def job_of(*words: str) -> Job:
    """The job that these words compose to."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        [job] = config.to_jobs(config.without_machinery(compose("config", list(words))), words)
    return job


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[LocalCrew]:
    """A crew of two without a worker."""
    with LocalCrew(tmp_path / "worker.log", 2) as crew:
        yield crew


def order_of(job: Job, manifest: Path = Path("nowhere.csv")) -> Order:
    """An order for one run of a sweep that was laid out; without a manifest it fails as soon as it is begun."""
    store.make_sweep_directory(job.directory)
    record = RunRecord(
        run_id=job.spec.run_id("pictures"),
        candidate="candidate",
        sweep="sweep",
        spec=job.spec,
        fingerprint="pictures",
        classes=("a", "b"),
        status="running",
        primary="accuracy",
        command="",
    )
    assignment = Assignment(job=job, planned=record, batch_size=job.spec.training.batch_size, exhibited=False)
    return Order(runs=(assignment,), manifest=manifest)


def last_event(crew: LocalCrew) -> Event:
    """What ends the one order that is under way."""
    while True:
        for event in crew.wait(1.0):
            if event.done or event.death:
                return event


def test_a_worker_stays_for_the_next_run(crew: LocalCrew) -> None:
    assert crew.ready_for(job_of("seed=0"), 0) is crew.ready_for(job_of("seed=1", "backbone=lenet"), 0)


@pytest.mark.parametrize("word", ["machine.threads=1", "training.deterministic=false", "plugins=[json]"])
def test_other_settings_need_another_process(word: str, crew: LocalCrew) -> None:
    first = crew.ready_for(job_of("machine.threads=2"), 0)
    assert crew.ready_for(job_of("machine.threads=2", word), 0) is not first


def test_every_place_has_a_worker_of_its_own(crew: LocalCrew) -> None:
    assert crew.idle == [0, 1]
    assert crew.ready_for(job_of(), 0) is not crew.ready_for(job_of(), 1)


def test_a_worker_that_has_grown_is_replaced_before_the_next_run(crew: LocalCrew) -> None:
    first = crew.ready_for(job_of("machine.worker_growth_gb=1"), 0)
    first.first_memory_bytes, first.memory_bytes = 3_000_000_000, 3_900_000_000
    assert crew.ready_for(job_of("machine.worker_growth_gb=1"), 0) is first
    first.memory_bytes = 4_100_000_000
    assert crew.ready_for(job_of("machine.worker_growth_gb=1"), 0) is not first


def test_a_worker_says_when_its_order_is_done_and_is_idle_again(crew: LocalCrew, tmp_path: Path) -> None:
    job = job_of(f"paths.results={tmp_path}")
    crew.give(order_of(job), 0, "network")
    assert crew.idle == [1]
    assert last_event(crew).done
    assert crew.idle == [0, 1]
    assert crew.network(0) == "network"
    assert store.load_records(job.directory)[0].status == "failed"


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGSEGV, "SIGSEGV")])
def test_the_death_of_a_worker_is_an_event_that_names_the_signal(
    crew: LocalCrew, tmp_path: Path, number: signal.Signals, kind: str
) -> None:
    crew.give(order_of(job_of(f"paths.results={tmp_path}")), 0, "network")
    os.kill(crew.ready_for(job_of(f"paths.results={tmp_path}"), 0).pid, number)
    death = death_of(crew)
    assert (death.kind, death.status) == (kind, "crashed")
    assert kind in death.message
    assert crew.idle == [0, 1]


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A manifest that is never read to its end."""
    for suffix in ("csv", "json"):
        os.mkfifo(tmp_path / f"never_written.{suffix}")
    return tmp_path / "never_written.csv"


def death_of(crew: LocalCrew) -> Death:
    """How the worker of the order that was given has ended."""
    death = last_event(crew).death
    assert death is not None
    return death


def with_plugin(job: Job, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Job:
    """The job with a plug-in of this text, which workers alone import."""
    (folder / "odd_plugin.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return job.model_copy(update={"plugins": ("odd_plugin",)})


def test_a_worker_that_takes_too_long_is_ended(crew: LocalCrew, tmp_path: Path, endless: Path) -> None:
    job = job_of(f"paths.results={tmp_path}", "sweep.timeout_minutes=0.01")
    crew.give(order_of(job, endless), 0, "network")
    death = death_of(crew)
    assert (death.kind, death.status) == ("timeout", "timeout")
    assert "sweep.timeout_minutes" in death.message


def test_a_worker_that_will_not_end_is_killed(
    crew: LocalCrew, tmp_path: Path, endless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SECONDS_TO_END", 0.2)
    job = job_of(f"paths.results={tmp_path}", "sweep.timeout_minutes=0.01")
    deaf = with_plugin(job, tmp_path, monkeypatch, "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n")
    crew.give(order_of(deaf, endless), 0, "network")
    worker = crew.ready_for(deaf, 0)
    death = death_of(crew)
    assert death.status == "timeout"
    assert not psutil.pid_exists(worker.pid)


def test_a_worker_that_hangs_before_it_begins_is_ended(
    crew: LocalCrew, tmp_path: Path, endless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MINUTES_TO_BEGIN", 0.02)
    job = job_of(f"paths.results={tmp_path}", "sweep.timeout_minutes=0.01")
    hanging = with_plugin(job, tmp_path, monkeypatch, "import time\nwhile True:\n    time.sleep(1)\n")
    crew.give(order_of(hanging, endless), 0, "network")
    death = death_of(crew)
    assert (death.kind, death.status) == ("timeout", "unbegun")
    assert "did not begin" in death.message


def test_what_a_worker_cannot_write_is_said_and_it_stays(
    crew: LocalCrew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = (
        "from benchmark import store\ndef refuse(*_):\n    raise OSError(28, 'full')\nstore.write_record = refuse\n"
    )
    job = with_plugin(job_of(f"paths.results={tmp_path}"), tmp_path, monkeypatch, refusing)
    crew.give(order_of(job), 0, "network")
    worker, order = crew.ready_for(job, 0), crew.busy[0]
    death = death_of(crew)
    assert (death.kind, death.status) == ("OSError", "failed")
    assert "free some space" in death.message
    log = store.run_directory(job.directory, order.runs[0].planned.run_id) / "log.txt"
    assert "OSError: [Errno 28] full" in log.read_text()
    assert crew.ready_for(job, 0) is worker
