"""The worker process is replaced when it must be, and only then."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from benchmark import config
from benchmark.crew import Crew, WorkerDied
from benchmark.jobs import Job

CONF = Path(__file__).resolve().parents[2] / "conf"


def job_of(*words: str) -> Job:
    """The job that these words compose to."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        [job] = config.to_jobs(config.without_machinery(compose("config", list(words))), words)
    return job


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    """A crew without a worker."""
    with Crew(tmp_path / "worker.log") as crew:
        yield crew


def test_a_worker_stays_for_the_next_run(crew: Crew) -> None:
    assert crew.ready_for(job_of("seed=0")) is crew.ready_for(job_of("seed=1", "backbone=lenet"))


@pytest.mark.parametrize("word", ["machine.threads=1", "training.deterministic=false", "plugins=[json]"])
def test_other_settings_need_another_process(word: str, crew: Crew) -> None:
    first = crew.ready_for(job_of("machine.threads=2"))
    assert crew.ready_for(job_of("machine.threads=2", word)) is not first


def test_a_worker_that_has_grown_is_replaced_before_the_next_run(crew: Crew) -> None:
    first = crew.ready_for(job_of("machine.worker_memory_gb=1"))
    first.memory_bytes = 900_000_000
    assert crew.ready_for(job_of("machine.worker_memory_gb=1")) is first
    first.memory_bytes = 1_100_000_000
    assert crew.ready_for(job_of("machine.worker_memory_gb=1")) is not first


@pytest.mark.parametrize(
    ("returncode", "kind", "words"),
    [(-9, "SIGKILL", "out of memory"), (-11, "SIGSEGV", "SIGSEGV"), (7, "exit code 7", "ended by itself")],
)
def test_how_a_worker_died_is_said_in_words(returncode: int, kind: str, words: str) -> None:
    death = WorkerDied(returncode)
    assert death.kind == kind
    assert words in str(death)
