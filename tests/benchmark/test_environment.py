"""What a result was computed with: every file that computes counts, whether git knows it or not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark import environment, plugins
from benchmark.records import software


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout of this code with one commit."""
    root = tmp_path / "checkout"
    (root / "backbones").mkdir(parents=True)
    (root / "backbones" / "known.py").write_text("known = 1\n")
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(environment, "ROOT", root)
    monkeypatch.setattr(plugins, "_loaded", {})
    environment._code.cache_clear()
    yield root
    environment._code.cache_clear()


def code_now() -> dict[str, object]:
    environment._code.cache_clear()
    return environment.code()


def test_a_clean_checkout_differs_in_nothing(checkout: Path) -> None:
    found = code_now()
    assert len(str(found["commit"])) == 40
    assert (found["dirty"], found["diff"]) == (False, "")


def test_a_file_that_git_does_not_know_yet_is_a_change_and_so_is_every_change_of_it(checkout: Path) -> None:
    new = checkout / "backbones" / "twolayers.py"
    new.write_text("layers = 2\n")
    first = code_now()
    new.write_text("layers = 3\n")
    second = code_now()
    assert first["dirty"]
    assert len({"", first["diff"], second["diff"]}) == 3


def test_what_computes_nothing_is_no_change(checkout: Path) -> None:
    (checkout / "results").mkdir()
    (checkout / "results" / "config.yaml").write_text("a: 1\n")
    (checkout / "backbones" / "notes.txt").write_text("to do\n")
    assert code_now()["diff"] == ""


def test_the_source_of_a_plug_in_counts_wherever_it_lies(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = tmp_path / "plug_in_of_this_test.py"
    source.write_text("answer = 42\n")
    monkeypatch.setitem(sys.modules, "tensorflow", sys.modules.get("tensorflow"))  # no greetings to wait for
    plugins.load_plugin("plug_in_of_this_test")
    first = code_now()
    source.write_text("answer = 43\n")
    assert first["diff"]
    assert code_now()["diff"] not in ("", first["diff"])


def test_another_python_is_other_software() -> None:
    now = environment.describe()
    assert software(now) != software({**now, "python": "2.7.18"})
    assert software(now) == software({**now, "host": "another"})
