"""What all speed measurements share: processes, pictures and the split that both sides train on."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir
from PIL import Image

from benchmark import config
from datasets.prepare import prepare

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STARTED = time.perf_counter()
SPLITS = ("train", "val", "test")
MOST_AND_LEAST = (1.5, 0.5)
"""Shares of the first and the last class of a subset, the even share being 1: weightings must have something to do."""


class Setting(NamedTuple):
    """On what is measured."""

    data: Path
    """A folder with one folder of pictures for each class."""
    weights: Path | None
    """An Xception weights file without top, or random weights."""
    scratch: Path
    repeats: int
    """Rounds, each with the other side's turn in it."""
    given: bool
    """Whether the data is the user's own; the drawn shapes are few, so that everything is quick."""
    quick: bool
    """Everything as small as it can be, to see that it works."""

    def many(self, most: int, quick: int) -> int:
        """How many runs, epochs or pictures: as promised, or for a quick trial."""
        return quick if self.quick else most

    @property
    def names(self) -> tuple[str, str]:
        """The data and the weights as the table names them."""
        return self.data.name, self.weights.name if self.weights else "random"


class Parted(NamedTuple):
    """Our split of some pictures, as folders train, val and test with a folder for each class."""

    root: Path
    counts: tuple[int, ...]
    """Pictures of train, val and test."""


def rounds(setting: Setting, work: str) -> Iterator[int]:
    """The numbers of the rounds; says when each begins, and how long all has taken until then."""
    for number in range(setting.repeats):
        print(f"[{time.perf_counter() - STARTED:5.0f} s] {work}: round {number + 1} of {setting.repeats}", flush=True)
        yield number


def plain(kind: str, **values: Any) -> dict[str, Any]:
    """What plain Keras code takes, in a process of its own."""
    return program("plain_keras.py", kind, json.dumps(values, default=str))


def program(name: str, *words: str) -> Any:
    """What a program of this folder prints as its last line, in JSON."""
    done = _done([str(HERE / name), *words])
    return json.loads(done.stdout.splitlines()[-1])


def ours(*words: str) -> float:
    """Wall seconds of the command line, start-up, MLflow and board included."""
    begun = time.perf_counter()
    _done(["-m", "benchmark", "-m", *words])
    return time.perf_counter() - begun


def quiet() -> dict[str, str]:
    """The environment of a process that is measured."""
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}


def costs(results: Path) -> pd.DataFrame:
    """The cost of every run below a results folder, from its records, the first to end first."""
    records = sorted(results.glob("*/runs/*/record.json"), key=lambda path: path.stat().st_mtime_ns)
    found = [(path.stat().st_mtime, json.loads(path.read_text())) for path in records]
    return pd.DataFrame([{"ended": ended, **record["cost"]} for ended, record in found if record.get("cost")])


def require_different(results: Path) -> None:
    """Refuse to count runs that learnt the same twice, which would be done once by anyone.

    Raises:
        RuntimeError: two runs have the same scores in every digit.
    """
    records = [json.loads(path.read_text()) for path in results.glob("runs/*/record.json")]
    scores = [json.dumps([record["val"], record["test"]]) for record in records if record.get("cost")]
    if len(set(scores)) < len(scores):
        raise RuntimeError(
            f"found {len(set(scores))} different results of {len(scores)} runs in {results}; expected all to differ: "
            "the measured sweep has choices that change nothing on these pictures"
        )


def parted(words: Sequence[str], folder: Path) -> Parted:
    """The split of our sweep with these options, so that both sides train, choose and test on the same pictures."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        chosen = [word for word in words if word.startswith("dataset")]
        [job] = config.to_jobs(config.without_machinery(compose("config", chosen)), chosen)
    manifest = prepare(job.spec.dataset, job.location, folder.with_name("cache"), job.machine.workers, None)
    fresh(folder)
    for path, label, split in manifest.table[["path", "label", "split"]].itertuples(index=False):
        link = folder / split / label / Path(path).name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to((manifest.root / path).resolve())
    return Parted(folder, tuple(int(manifest.counts[split].sum()) for split in SPLITS))


def arrays(root: Path, size: int) -> Path:
    """The pictures of a split as one file of arrays: x and y to train on, x_val and y_val, uint8 and int."""
    path, found = root.with_suffix(".npz"), {}
    classes = sorted(folder.name for folder in (root / "train").iterdir())
    for split, end in (("train", ""), ("val", "_val")):
        files = sorted((root / split).rglob("*.*"))
        found[f"x{end}"] = _pixels(files, size)
        found[f"y{end}"] = np.array([classes.index(file.parent.name) for file in files])
    np.savez(path, **found)
    return path


def subset(setting: Setting, number: int) -> Path:
    """A folder with links to about so many pictures, the first of every class, unequally many of each."""
    root = setting.scratch / f"subset{number}"
    folders = sorted(path for path in setting.data.iterdir() if path.is_dir())
    shares = np.linspace(*MOST_AND_LEAST, len(folders))
    for folder, share in zip(folders, shares, strict=True):
        (root / folder.name).mkdir(parents=True, exist_ok=True)
        for picture in sorted(folder.iterdir())[: round(number / len(folders) * share)]:
            link = root / folder.name / picture.name
            if not link.exists():
                link.symlink_to(picture.resolve())
    return root


def pictures(root: Path, size: int, number: int) -> np.ndarray:
    """So many pictures (n, size, size, 3) uint8 from all classes in turn; fewer where there are fewer."""
    files = sorted(root.rglob("*.*"))
    return _pixels(files[:: max(1, len(files) // number)][:number], size)


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _pixels(files: Sequence[Path], size: int) -> np.ndarray:
    return np.stack([np.asarray(Image.open(file).convert("RGB").resize((size, size))) for file in files])


def _done(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """The ended process.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, env=quiet(), cwd=ROOT)
    if done.returncode:
        said = f"{done.stdout[-1500:]} {done.stderr[-1500:]}"
        raise RuntimeError(f"found exit code {done.returncode}, expected 0, of {' '.join(words)}: {said}")
    return done
