"""The cache of decoded pictures when the process that builds it is stopped half-way."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from datasets.manifest import Manifest
from datasets.pixels import pixels
from datasets.prepare import prepare
from datasets.resizing import square
from datasets.spec import dataset_from_mapping

CONF = Path(__file__).resolve().parents[2] / "conf" / "dataset"
PICTURES = 600

BUILD = """
import sys
from pathlib import Path

from datasets.manifest import Manifest
from datasets.pixels import pixels


def stop(done, total):
    print(done, flush=True)
    sys.stdin.readline()  # the moment to be stopped at


pixels(Manifest.read_csv(Path(sys.argv[1])), 24, "squish", Path(sys.argv[2]), 1, stop)
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Two classes of three hundred pictures; their manifest is in manifest.csv as well."""
    for seed in range(PICTURES):
        path = tmp_path / "drawn" / "ab"[seed % 2] / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        rough = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(rough).resize((40, 30), Image.Resampling.BICUBIC).save(path)
    options: dict[str, Any] = yaml.safe_load((CONF / "schema.yaml").read_text("utf-8"))
    options |= {"name": "drawn", "source": "folder", "root": tmp_path / "drawn", "image_size": 24}
    options["near_distance"] = None
    chosen = dataset_from_mapping(options)
    found = prepare(chosen.spec, chosen.location, tmp_path / "facts", 1, None)
    found.to_csv(tmp_path / "manifest.csv")
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_build_is_continued_and_comes_out_right(
    number: signal.Signals, manifest: Manifest, tmp_path: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(tmp_path / "manifest.csv"), str(tmp_path / "cache")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        done = int(child.stdout.readline())
        child.send_signal(number)
        assert child.wait() in (-number, 130)
    assert 0 < done < PICTURES
    continued = pixels(manifest, 24, "squish", tmp_path / "cache", 1, None)
    assert 0 < continued.decoded <= PICTURES - done
    assert any(f"{PICTURES - continued.decoded} of {PICTURES}" in note for note in continued.notes)
    for row in range(PICTURES):
        with Image.open(manifest.root / manifest.table["path"][row]) as image:
            assert (continued.array[row] == square(image.convert("RGB"), 24, "squish")).all()
    assert pixels(manifest, 24, "squish", tmp_path / "cache", 1, None).decoded == 0
