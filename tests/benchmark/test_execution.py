"""What happens to runs on their way: stacks, deaths, time limits, too little memory, and rules for doing them again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmark import store
from benchmark.records import RunRecord
from benchmark.spec import RunSpec

SMALL = ["dataset.max_per_class=15", "training.epochs=2", "dataset.image_size=16", "tracking=none",
         "report.level=none", "machine.measure_latency=false", "sweep.name=s"]  # fmt: skip
STACK = ["backbone.name=tiny", "finetune=frozen"]


class Ended(NamedTuple):
    """A sweep that has run."""

    code: int
    output: str
    runs: list[RunRecord]
    """Without baselines."""


Sweep = Callable[..., Ended]


@pytest.fixture(scope="module")
def sweep(run_sweep: Any) -> Sweep:
    """`sweep(results, *words)`: a sweep with its results in the given folder."""

    def run(results: Path, *words: str) -> Ended:
        done = run_sweep(*SMALL, f"paths.results={results}", *words)
        assert "Traceback" not in done.output + done.errors
        records = store.load_records(results / "s") if (results / "s").is_dir() else []
        return Ended(done.code, done.output, [one for one in records if isinstance(one.spec, RunSpec)])

    return run


def predictions(results: Path, record: RunRecord) -> bytes:
    return store.load_predictions(results / "s", record.run_id).probabilities.tobytes()


def test_a_stacked_head_gives_what_it_gives_alone_and_says_how_it_was_computed(sweep: Sweep, tmp_path: Path) -> None:
    words = [*STACK, "head.dropout=0.1,0.3", "weighting=none,balanced"]
    together = sweep(tmp_path / "together", *words)
    alone = sweep(tmp_path / "alone", *words, "launcher.stack=false")
    assert (together.code, alone.code) == (0, 0), together.output
    assert [run.cost and (run.cost.path, run.cost.stacked) for run in together.runs] == [("stacked", 4)] * 4
    assert [run.cost and (run.cost.path, run.cost.stacked) for run in alone.runs] == [("cached", 1)] * 4
    for one, other in zip(together.runs, alone.runs, strict=True):
        assert predictions(tmp_path / "together", one) == predictions(tmp_path / "alone", other)
    boards = [(tmp_path / name / "s" / "leaderboard.csv").read_bytes() for name in ("together", "alone")]
    assert boards[0] == boards[1]


def test_a_member_that_diverges_leaves_the_others_of_its_stack_alone(sweep: Sweep, tmp_path: Path) -> None:
    ended = sweep(tmp_path, *STACK, "training.learning_rate=1e-3,1e38", "training.optimizer=sgd")
    assert ended.code == 3
    assert sorted(run.status for run in ended.runs) == ["diverged", "ok"]
    [diverged] = [run for run in ended.runs if run.status == "diverged"]
    log = (store.run_directory(tmp_path / "s", diverged.run_id) / "log.txt").read_text()
    assert "Diverged" in log


def test_the_runs_of_a_stack_whose_worker_is_killed_are_done_one_by_one(sweep: Sweep, tmp_path: Path) -> None:
    ended = sweep(tmp_path, "backbone.name=killed_once", "finetune=frozen", "head.dropout=0.1,0.2,0.3")
    assert ended.code == 0, ended.output
    assert "3 runs are tried once more" in ended.output
    assert [run.cost and run.cost.stacked for run in ended.runs] == [1, 1, 1]


def test_too_little_memory_halves_the_batch_once_and_the_record_says_so(sweep: Sweep, tmp_path: Path) -> None:
    ended = sweep(tmp_path, "backbone.name=hungry", "training.batch_size=20")
    [run] = ended.runs
    assert ended.code == 0, ended.output
    assert run.cost is not None
    assert run.cost.batch_size_effective == 10
    assert any("did not fit into memory" in note for note in run.notes)


def test_a_run_that_takes_too_long_is_ended_and_the_next_one_is_done(sweep: Sweep, tmp_path: Path) -> None:
    ended = sweep(tmp_path, "backbone.name=sleeping,tiny", "sweep.timeout_minutes=0.1")
    assert ended.code == 3
    assert {run.spec.backbone.name: run.status for run in ended.runs} == {"sleeping": "timeout", "tiny": "ok"}


def test_the_runs_of_a_stack_that_hangs_are_done_one_by_one(sweep: Sweep, tmp_path: Path) -> None:
    words = ["backbone.name=sleeping_once", "finetune=frozen", "head.dropout=0.1,0.2", "sweep.timeout_minutes=0.2"]
    ended = sweep(tmp_path, *words)
    assert "a stack came no further" in ended.output
    assert "2 runs are tried once more" in ended.output
    assert [(run.status, run.cost and run.cost.stacked) for run in ended.runs] == [("ok", 1)] * 2


@pytest.mark.parametrize("name", ["log.txt", "model.keras"])
def test_a_file_that_cannot_be_written_fails_its_run_alone(sweep: Sweep, tmp_path: Path, name: str) -> None:
    """A folder in its place refuses even the super-user."""
    words = ["backbone.name=tiny", "seed=0,1", "machine.save_model=true"]
    first, second = sweep(tmp_path, *words).runs
    taken = store.run_directory(tmp_path / "s", first.run_id) / name
    shutil.rmtree(tmp_path / "s")
    (taken / "in the way").mkdir(parents=True)
    ended = sweep(tmp_path, *words)
    assert ended.code == 3, ended.output
    assert {run.run_id: run.status for run in ended.runs} == {first.run_id: "failed", second.run_id: "ok"}
    [failure] = [run.failure for run in ended.runs if run.failure]
    assert (failure.kind, name in failure.message) == ("IsADirectoryError", True)
    assert not list((tmp_path / "s").rglob("*.tmp*"))
    shutil.rmtree(taken)
    assert [run.status for run in sweep(tmp_path, *words).runs] == ["ok", "ok"]


def test_a_sweep_in_which_everything_fails_alike_stops(sweep: Sweep, tmp_path: Path) -> None:
    ended = sweep(tmp_path, "backbone.name=raising", "seed=range(5)", "sweep.max_consecutive_failures=2")
    assert ended.code == 3
    assert sorted(run.status for run in ended.runs) == ["failed"] * 2 + ["pending"] * 3
    assert "2 runs in a row failed alike" in ended.output
    again = sweep(tmp_path, "backbone.name=raising", "seed=range(5)", "sweep.rerun=failed")
    assert "5 runs: 0 finished, 3 left as they are, 2 failed -> again, 0 new" in again.output


@pytest.mark.parametrize(("rule", "code"), [("none", 0), ("any", 3), ("all", 0), ("0.5", 3), ("0.6", 0)])
def test_how_many_failures_make_the_command_fail_is_a_rule_of_the_sweep(
    sweep: Sweep, half_failed: Path, rule: str, code: int
) -> None:
    words = ["backbone.name=raising,tiny", "sweep.rerun=never", f"sweep.fail_on={rule}"]
    assert sweep(half_failed, *words).code == code


@pytest.fixture(scope="module")
def half_failed(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of two runs failed."""
    results = tmp_path_factory.mktemp("half")
    sweep(results, "backbone.name=raising,tiny")
    return results


def test_everything_can_be_done_again_and_nothing_changes(sweep: Sweep, half_failed: Path) -> None:
    before = (half_failed / "s" / "leaderboard.csv").read_bytes()
    ended = sweep(half_failed, "backbone.name=raising,tiny", "sweep.rerun=all")
    assert "2 runs: 0 finished, 1 failed -> again, 1 ok -> again, 0 new" in ended.output
    assert (half_failed / "s" / "leaderboard.csv").read_bytes() == before


def test_results_of_other_code_are_kept_and_said_or_done_again(sweep: Sweep, half_failed: Path) -> None:
    [tiny] = [run for run in sweep(half_failed, "backbone.name=tiny", "sweep.rerun=never").runs if run.finished]
    old = tiny.model_copy(update={"environment": {**tiny.environment, "commit": "another"}})
    store.write_record(half_failed / "s", old)
    kept = sweep(half_failed, "backbone.name=tiny")
    assert "1 run: 1 finished, 0 new" in kept.output
    assert "computed by other code" in kept.output
    again = sweep(half_failed, "backbone.name=tiny", "sweep.stale=rerun")
    assert "1 ok -> again" in again.output


def test_a_model_that_is_wanted_later_is_made_by_doing_the_run_again(sweep: Sweep, tmp_path: Path) -> None:
    [run] = sweep(tmp_path, "backbone.name=tiny").runs
    folder = store.run_directory(tmp_path / "s", run.run_id)
    before = predictions(tmp_path, run)
    again = sweep(tmp_path, "backbone.name=tiny", "machine.save_model=true")
    assert "1 ok -> again" in again.output
    assert "finished without a model and done again" in again.output
    assert (folder / "model.keras").is_file()
    assert predictions(tmp_path, run) == before
    assert "1 run: 1 finished, 0 new" in sweep(tmp_path, "backbone.name=tiny", "machine.save_model=true").output
    assert "1 run: 1 finished, 0 new" in sweep(tmp_path, "backbone.name=tiny").output


def test_a_plan_shows_what_would_be_done_and_does_nothing(sweep: Sweep, tmp_path: Path) -> None:
    ended = sweep(tmp_path, *STACK, "head.dropout=0.1,0.2", "launcher.dry_run=true")
    assert ended.code == 0
    assert "2 runs: 0 finished, 2 new" in ended.output
    assert "1 program, 1 stack of heads" in ended.output
    assert not (tmp_path / "s").exists()


def test_two_workers_share_a_sweep(sweep: Sweep, tmp_path: Path) -> None:
    words = ["backbone.name=tiny", "seed=range(4)", "machine.threads=1"]
    two = sweep(tmp_path / "two", *words, "launcher.workers=2")
    one = sweep(tmp_path / "one", *words)
    assert [run.status for run in two.runs] == ["ok"] * 4
    boards = [(tmp_path / name / "s" / "leaderboard.csv").read_bytes() for name in ("one", "two")]
    assert boards[0] == boards[1]
    assert one.code == two.code == 0
