"""The memory of earlier looks: what is remembered is not opened again, what changed is."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import psutil
import pytest

from datasets.facts import look_at
from datasets.listing import list_folder
from datasets.scan import scan

SCAN = """
import sys
from pathlib import Path

from datasets.listing import list_folder
from datasets.scan import scan

root, cache = Path(sys.argv[1]), Path(sys.argv[2])


def progress(done, total):
    print(done, flush=True)


if __name__ == "__main__":
    print("all", len(scan(root, list_folder(root, "", False).files, cache, 2, progress).facts), flush=True)
"""


def look(root, cache):
    return scan(root, list_folder(root, "", False).files, cache, 1, None)


@pytest.fixture
def root(class_folders):
    return class_folders(cat=12, dog=9)


def test_the_facts_come_in_the_order_asked(root, tmp_path):
    files = list_folder(root, "", False).files[::-1]
    assert [fact.path for fact in scan(root, files, tmp_path / "cache", 1, None).facts] == [file.path for file in files]


def test_a_second_scan_opens_no_file(root, tmp_path):
    first = look(root, tmp_path / "cache")
    assert first.remembered == 0
    for path in root.glob("*/*.png"):
        status = path.stat()
        path.write_bytes(b"\0" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = look(root, tmp_path / "cache")
    assert (second.remembered, second.facts) == (21, first.facts)


def test_only_new_and_changed_files_are_opened(root, draw, tmp_path):
    look(root, tmp_path / "cache")
    draw(500).save(root / "cat" / "000.png")
    draw(501).save(root / "cat" / "new.png")
    (root / "cat" / "001.png").unlink()
    again = look(root, tmp_path / "cache")
    assert (again.remembered, len(again.facts)) == (19, 21)
    fresh = look(root, tmp_path / "other cache")
    assert again.facts == fresh.facts


def test_rejections_are_remembered_too(root, tmp_path):
    (root / "cat" / "broken.png").write_bytes(b"x")
    look(root, tmp_path / "cache")
    again = look(root, tmp_path / "cache")
    assert again.remembered == 22
    assert [fact.reason for fact in again.facts if fact.reason] == ["not an image: no known format in its first bytes"]


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 100, None])
def test_a_damaged_memory_is_made_again_and_that_is_said(damage, root, tmp_path):
    first = look(root, tmp_path / "cache")
    (memory,) = (tmp_path / "cache" / "facts").glob("*.sqlite")
    if damage is None:
        data = bytearray(memory.read_bytes())
        data[100:3000] = os.urandom(2900)
        damage = bytes(data)
    memory.write_bytes(damage)
    again = look(root, tmp_path / "cache")
    assert again.facts == first.facts
    assert bool(again.notes) == bool(damage)
    assert look(root, tmp_path / "cache").remembered == 21


def test_a_memory_of_another_shape_is_made_again(root, tmp_path):
    look(root, tmp_path / "cache")
    (memory,) = (tmp_path / "cache" / "facts").glob("*.sqlite")
    with sqlite3.connect(memory) as database:
        database.execute("ALTER TABLE facts DROP COLUMN brightness")
    database.close()
    again = look(root, tmp_path / "cache")
    assert len(again.facts) == 21
    assert again.notes


def test_progress_counts_to_the_end(root, tmp_path):
    calls = []
    scan(root, list_folder(root, "", False).files, tmp_path, 1, lambda done, total: calls.append((done, total)))
    assert calls[-1] == (21, 21)


def start(many, cache):
    command = [sys.executable, "-c", SCAN, str(many), str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_several_processes_find_what_one_finds(many, tmp_path):
    with start(many, tmp_path / "cache") as child:
        assert child.stdout.read().splitlines()[-1] == "all 600"
    paths = [file.path for file in list_folder(many, "", False).files]
    remembered = look(many, tmp_path / "cache")
    assert remembered.remembered == 600
    assert remembered.facts == look_at(str(many), paths)


def test_a_killed_worker_costs_nothing(many, tmp_path):
    with start(many, tmp_path / "cache") as child:
        child.stdout.readline()
        workers = [one for one in psutil.Process(child.pid).children() if "spawn_main" in " ".join(one.cmdline())]
        workers[0].kill()
        assert child.stdout.read().splitlines()[-1] == "all 600"
    again = look(many, tmp_path / "cache")
    assert again.remembered == 600
    assert not any(fact.reason for fact in again.facts)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_scan_leaves_no_process_and_is_continued(number, many, tmp_path):
    with start(many, tmp_path / "cache") as child:
        done = int(child.stdout.readline())
        workers = psutil.Process(child.pid).children(recursive=True)
        child.send_signal(number)
        child.wait()
        wait_for(lambda: not any(one.is_running() and one.status() != "zombie" for one in workers))
    again = look(many, tmp_path / "cache")
    assert done <= again.remembered
    assert [fact.path for fact in again.facts if fact.reason] == []
