"""The package names that other projects use too mean ours."""

from pathlib import Path

import backbones
import benchmark
import datasets

ROOT = Path(__file__).resolve().parent.parent


def test_our_packages_are_the_ones_imported() -> None:
    for package in (backbones, benchmark, datasets):
        assert package.__file__ is not None
        assert Path(package.__file__).resolve().parent.parent == ROOT


def test_the_top_level_holds_only_what_it_may() -> None:
    allowed = {"benchmark", "backbones", "conf", "datasets", "results", "tests", "pyproject.toml", "README.md"}
    allowed |= {"Makefile", "CHANGELOG.md", "LICENSE", "requirements.lock", "outputs", "multirun"}
    entries = {entry.name for entry in ROOT.iterdir() if not entry.name.startswith(".")}
    assert {name for name in entries if not name.endswith(".egg-info")} <= allowed
