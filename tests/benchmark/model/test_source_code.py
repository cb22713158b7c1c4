import importlib
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backbones import registry
from benchmark.model import settings, source_code
from benchmark.model.experiment import Data, Machine, run
from benchmark.spec import RunSpec

SpecOf = Callable[..., RunSpec]
Draw = Callable[..., Data]

BACKBONE = """
from backbones.registry import SCRATCH, backbone

@backbone(default_size=16, minimum_size=4, weights=SCRATCH, papers=("none",))
def plugged(pixels, spec):
    from keras import layers
    return layers.Flatten()(layers.Conv2D(4, 3, strides=2, activation="relu")(layers.Rescaling(1 / 255)(pixels)))
"""
FILES = {
    "family/__init__.py": "",
    "family/net.py": "from . import blocks\n\ndef make():\n    import beside\n    import numpy\n    import json\n",
    "family/blocks.py": "from family.deep.layers import one\n",
    "family/deep/layers.py": "one = 1\n",
    "family/unrelated.py": "",
    "beside.py": "two = 2\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are imported from, and forgotten afterwards."""
    place = tmp_path / "own"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    before = set(sys.modules)
    yield place
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("family", "beside", "plugged_module"):
            del sys.modules[name]
    registry._registered.pop("plugged", None)


def write(folder: Path, **changes: str) -> None:
    for name, content in {**FILES, **changes}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def digest_of_family() -> str:
    source_code.digest.cache_clear()
    importlib.invalidate_caches()
    return source_code.digest(importlib.import_module("family.net").make)


@pytest.mark.parametrize("name", ["family/net.py", "family/blocks.py", "family/deep/layers.py", "beside.py"])
def test_every_file_that_a_module_imports_counts(name: str, folder: Path) -> None:
    write(folder)
    before = digest_of_family()
    assert digest_of_family() == before
    write(folder, **{name: FILES[name] + "\n# changed\n"})
    assert digest_of_family() != before


def test_files_that_are_not_imported_do_not_count(folder: Path) -> None:
    write(folder)
    before = digest_of_family()
    write(folder, **{"family/unrelated.py": "changed = 1"})
    assert digest_of_family() == before


def test_of_installed_packages_only_the_makers_own_counts(folder: Path) -> None:
    write(folder)
    (folder / "family-1.0.dist-info").mkdir()
    before = digest_of_family()
    write(folder, **{"beside.py": "two = 3"})
    assert digest_of_family() == before
    write(folder, **{"family/blocks.py": "from family.deep.layers import one, two\n"})
    assert digest_of_family() != before


def test_a_zipped_module_is_read_where_it_is(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for number in (1, 2, 1):
        path = tmp_path / f"{len(found)}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**FILES, "family/blocks.py": f"three = {number}\n"}.items():
                archive.writestr(name, content)
        with monkeypatch.context() as patched:
            patched.syspath_prepend(str(path))
            found.append(digest_of_family())
        for name in [name for name in sys.modules if name.partition(".")[0] in ("family", "beside")]:
            del sys.modules[name]
    assert found[0] == found[2] != found[1]


def test_what_has_no_file_is_never_taken_for_something_older() -> None:
    def typed() -> Any:
        names: dict[str, Any] = {"__name__": "typed_into_a_session"}
        exec("def make(): pass", names)
        return names["make"]

    one, other = typed(), typed()
    assert source_code.digest(one) == source_code.digest(one) != source_code.digest(other)


def test_a_change_in_one_backbones_file_leaves_the_others_alone() -> None:
    files: dict[str, bytes] = {}
    source_code._collect("backbones.xception", files)
    assert {"backbones.xception", "backbones.embedding"} <= set(files)
    assert not {"backbones.lenet", "backbones.mobilenetv3"} & set(files)


def test_activations_of_a_plug_in_are_computed_again_exactly_when_its_source_has_changed(
    folder: Path, spec_of: SpecOf, drawn: Draw, tmp_path: Path
) -> None:
    spec = spec_of("lenet", finetune="frozen", epochs=1)
    spec = spec.model_copy(update={"backbone": spec.backbone.model_copy(update={"name": "plugged"})})
    machine = Machine(None, tmp_path / "cache", settings.identity()["threads"])  # type: ignore[arg-type]
    found = []
    for activation in ("relu", "relu", "sigmoid"):
        (folder / "plugged_module.py").write_text(BACKBONE.replace("relu", activation))
        sys.modules.pop("plugged_module", None)
        importlib.invalidate_caches()
        importlib.import_module("plugged_module")
        result = run(spec, drawn(), machine, lambda row: None)
        found.append((len(list((tmp_path / "cache" / "features").glob("*.npy"))), result.test))
    assert [entries for entries, _ in found] == [1, 1, 2]
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert np.abs(found[0][1] - found[2][1]).max() > 1e-3
