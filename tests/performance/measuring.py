"""What all speed measurements share: processes, pictures and the table of ratios."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STARTED = time.perf_counter()


class Measured(NamedTuple):
    """One figure: ratios, or seconds where the goal is a time, each from a round of its own."""

    work: str
    goal: str
    values: tuple[float, ...]
    reached: bool
    """Whether their median is."""
    detail: str

    @property
    def found(self) -> float:
        """The median."""
        return median(self.values)


class Setting(NamedTuple):
    """On what is measured."""

    data: Path
    """A folder with one folder of pictures for each class."""
    weights: Path | None
    """An Xception weights file without top, or random weights."""
    scratch: Path
    repeats: int
    """Rounds, each with the other side's turn in it."""
    full: bool
    """Whether the data is the user's own; the drawn shapes are few, so that everything is quick."""


def at_least(work: str, goal: float, values: Iterable[float], detail: str) -> Measured:
    """A ratio that shall not be lower."""
    found = tuple(values)
    return Measured(work, f">= {goal:g}", found, median(found) >= goal, detail)


def at_most(work: str, goal: float, unit: str, values: Iterable[float], detail: str) -> Measured:
    """A value that shall not be higher."""
    found = tuple(values)
    return Measured(work, f"< {goal:g} {unit}", found, median(found) < goal, detail)


def rounds(setting: Setting, work: str) -> Iterator[int]:
    """The numbers of the rounds; says when each begins, and how long all has taken until then."""
    for number in range(setting.repeats):
        print(f"[{time.perf_counter() - STARTED:5.0f} s] {work}: round {number + 1} of {setting.repeats}", flush=True)
        yield number


def plain(kind: str, **values: Any) -> dict[str, Any]:
    """What plain Keras code takes, in a process of its own; `wall` is all of it."""
    begun = time.perf_counter()
    words = [sys.executable, str(HERE / "plain_keras.py"), kind, json.dumps(values, default=str)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=_quiet())
    if done.returncode:
        raise RuntimeError(f"plain Keras failed: {done.stderr[-2000:]}")
    return {**json.loads(done.stdout.splitlines()[-1]), "wall": time.perf_counter() - begun}


def ours(*words: str) -> float:
    """Wall seconds of the command line, start-up, MLflow and board included."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "benchmark", "-m", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_quiet(), cwd=ROOT)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(words)} ended with {done.returncode}: {done.stdout[-1500:]} {done.stderr[-1500:]}"
        )
    return time.perf_counter() - begun


def costs(results: Path) -> pd.DataFrame:
    """The cost of every run below a results folder, from its records."""
    records = [json.loads(path.read_text()) for path in results.glob("*/runs/*/record.json")]
    return pd.DataFrame([record["cost"] for record in records if record.get("cost")])


def subset(setting: Setting, per_class: int) -> Path:
    """A folder with links to the first pictures of every class."""
    root = setting.scratch / f"subset{per_class}"
    for folder in sorted(path for path in setting.data.iterdir() if path.is_dir()):
        (root / folder.name).mkdir(parents=True, exist_ok=True)
        for picture in sorted(folder.iterdir())[:per_class]:
            link = root / folder.name / picture.name
            if not link.exists():
                link.symlink_to(picture.resolve())
    return root


def pictures(root: Path, size: int, number: int) -> np.ndarray:
    """So many pictures (n, size, size, 3) uint8 from all classes in turn."""
    files = sorted(root.rglob("*.*"))[:: max(1, len(list(root.rglob("*.*"))) // number)][:number]
    return np.stack([np.asarray(Image.open(file).convert("RGB").resize((size, size))) for file in files])


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def median(values: Any) -> float:
    """The median as a plain number."""
    return float(np.median(list(values)))


def _quiet() -> dict[str, str]:
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
