import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmark.model import activations, settings
from benchmark.model.activations import Activations, Batch, Computation, DoesNotFit, Shelf
from benchmark.model.experiment import Data, Machine, run
from benchmark.spec import RunSpec

SpecOf = Callable[..., RunSpec]
Draw = Callable[..., Data]

VALUES = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32)
TARGETS = np.random.default_rng(1).dirichlet([1, 1, 1], 50).astype(np.float32)


def computation(order: np.ndarray | None = None, targets: np.ndarray | None = None) -> Computation:
    """The rows of VALUES, seven at a time."""

    def batches() -> Iterator[Batch]:
        rows = np.arange(50) if order is None else order
        for start in range(0, 50, 7):
            some = rows[start : start + 7]
            yield Batch(some, VALUES[some], None if targets is None else targets[some])

    return Computation(50, ((2, 3), (4,)), 0 if targets is None else 3, {"parameters": 12}, batches())


def never() -> Computation:
    raise AssertionError("nothing should be computed")


def stored(folder: Path) -> Path:
    found = list(folder.glob("*.npy"))
    assert len(found) == 1
    return found[0]


def load(folder: Path, identity: dict[str, object] | None = None) -> Activations:
    return Shelf(folder, None).load_or_compute(identity or {}, computation)


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new process, which has checked no file yet."""
    monkeypatch.setattr(activations, "_whole", {})


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("targets", [None, TARGETS], ids=["without targets", "with targets"])
def test_rows_lie_at_their_places_whatever_order_they_come_in(
    shuffled: bool, targets: np.ndarray | None, tmp_path: Path
) -> None:
    order = np.random.default_rng(2).permutation(50) if shuffled else None
    found = Shelf(tmp_path, None).load_or_compute({}, lambda: computation(order, targets))
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.shapes == ((2, 3), (4,))
    assert found.facts == {"parameters": 12}
    assert found.notes == ()
    assert isinstance(found.values, np.memmap)
    if targets is None:
        assert found.targets is None
    else:
        np.testing.assert_array_equal(found.targets, targets)


def test_the_second_time_nothing_is_computed(tmp_path: Path) -> None:
    first = load(tmp_path, {"a": 1})
    again = Shelf(tmp_path, None).load_or_compute({"a": 1}, never)
    np.testing.assert_array_equal(first.values, again.values)
    assert again.shapes == first.shapes


def test_another_identity_is_another_file(tmp_path: Path) -> None:
    for number in (1, 2, 1):
        load(tmp_path, {"a": number})
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_a_flipped_bit_is_found_repaired_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path)
    content = bytearray(stored(tmp_path).read_bytes())
    content[-100] ^= 1
    stored(tmp_path).write_bytes(content)
    monkeypatch.setattr(activations, "_whole", {})
    repaired = load(tmp_path)
    np.testing.assert_array_equal(repaired.values, VALUES)
    assert "damaged" in repaired.notes[0]


def test_a_file_that_changed_is_checked_again_by_the_same_process(tmp_path: Path) -> None:
    load(tmp_path)
    content = bytearray(stored(tmp_path).read_bytes())
    content[-100] ^= 1
    stored(tmp_path).write_bytes(content)
    np.testing.assert_array_equal(load(tmp_path).values, VALUES)


@pytest.mark.parametrize("damage", ["cut off", "no description", "nonsense in the description", "empty"])
def test_every_other_damage_is_repaired_too(damage: str, tmp_path: Path) -> None:
    load(tmp_path)
    path = stored(tmp_path)
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:-7])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "no description":
        path.with_suffix(".json").unlink()
    else:
        path.with_suffix(".json").write_text("[]")
    np.testing.assert_array_equal(load(tmp_path).values, VALUES)


def test_a_failure_while_computing_leaves_nothing_behind(tmp_path: Path) -> None:
    def failing() -> Iterator[Batch]:
        yield Batch(np.arange(7), VALUES[:7], None)
        raise OSError(28, "No space left on device")

    broken = computation()._replace(batches=failing())
    with pytest.raises(OSError, match=r"No space left on device: .*npy"):
        Shelf(tmp_path, None).load_or_compute({}, lambda: broken)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize("columns", [100, 1], ids=["large writes", "small shuffled writes"])
def test_a_full_disk_is_said_in_a_sentence_and_no_half_file_stays(columns: int, tmp_path: Path) -> None:
    # A limit on the size of files fails as a full disk does, without filling one. Small writes wait in a buffer, which
    # is full of what cannot be written when the file is closed.
    script = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from benchmark.model.activations import Batch, Computation, Shelf
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
columns = int(sys.argv[2])
number = 100_000 // columns
values, order = np.zeros((number, columns), np.float32), np.random.default_rng(0).permutation(number)
batches = (Batch(some, values[some], None) for some in np.split(order, 10))
try:
    Shelf(Path(sys.argv[1]), None).load_or_compute({}, lambda: Computation(number, ((columns,),), 0, {}, batches))
except OSError as error:
    print(error)
"""
    command = [sys.executable, "-c", script, str(tmp_path), str(columns)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "File too large" in found.stdout
    assert str(tmp_path) in found.stdout
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_a_process_killed_while_it_writes_leaves_what_the_next_one_writes_over(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
import numpy as np
from benchmark.model.activations import Batch, Computation, Shelf

def batches():
    # More than a buffer holds: a part of it is in the file.
    yield Batch(np.arange(30), np.ones((30, 1000), np.float32), None)
    print("writing", flush=True)
    time.sleep(600)

Shelf(Path(sys.argv[1]), None).load_or_compute({}, lambda: Computation(50, ((1000,),), 0, {}, batches()))
"""
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "writing\n"
        child.kill()
    half = next(tmp_path.glob(".*.npy"))
    assert half.stat().st_size > 50_000
    np.testing.assert_array_equal(load(tmp_path).values, VALUES)
    assert half.name == f".{stored(tmp_path).name}"
    assert {path.suffix for path in tmp_path.iterdir()} == {".lock", ".npy", ".json"}
    assert not half.exists()


def test_an_entry_above_the_limit_is_refused_before_it_is_computed_but_used_when_there(tmp_path: Path) -> None:
    def untouched() -> Iterator[Batch]:
        yield from iter([never()])

    wanted = computation()._replace(batches=untouched())
    with pytest.raises(DoesNotFit, match=r"of 2e-06 GB; .* cache may hold \(1.99e-06 GB\).*cache_limit"):
        Shelf(tmp_path, 1990).load_or_compute({}, lambda: wanted)
    assert not list(tmp_path.glob("*.npy"))
    load(tmp_path)
    np.testing.assert_array_equal(Shelf(tmp_path, 1990).load_or_compute({}, never).values, VALUES)


def test_progress_names_pictures_a_second(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        load(tmp_path)
    assert "50 of 50 pictures" in caplog.messages[-1]


def test_the_description_says_what_the_activations_are(spec_of: SpecOf, drawn: Draw, tmp_path: Path) -> None:
    machine = Machine(None, tmp_path, settings.identity()["threads"])
    run(spec_of("minivgg", finetune="frozen", seed=4, epochs=1), drawn(), machine, lambda row: None)
    identity = json.loads(next((tmp_path / "features").glob("*.json")).read_text())["identity"]
    assert identity["backbone"] == {"name": "minivgg", "weights": "none", "pooling": "flatten", "application": None}
    assert identity["content"] == drawn().content
    assert identity["seed"] == 4
    assert identity["boundary"] == "features"
    assert {"image_size", "threads", "deterministic", "tensorflow", "keras", "code", "whitening"} <= set(identity)


def test_processes_that_want_the_same_activations_do_not_disturb_each_other(tmp_path: Path) -> None:
    script = """
import runpy, sys
from pathlib import Path
tests = runpy.run_path(sys.argv[1])
tests["configure"](tests["SETTINGS"])
spec = tests["make_spec"]("minivgg", finetune="frozen", epochs=1)
assert tests["carry_out"](spec, tests["draw"](), Path(sys.argv[2])).notes[1:] == ()
"""
    conftest = str(Path(__file__).with_name("conftest.py"))
    command = [sys.executable, "-c", script, conftest, str(tmp_path)]
    workers = [subprocess.Popen(command) for _ in range(2)]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert len(list((tmp_path / "features").glob("*.npy"))) == 1
