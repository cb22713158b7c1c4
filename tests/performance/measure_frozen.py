"""Frozen backbones: twelve linear heads cold, twelve more with features cached, with flips, and the last layers."""

from pathlib import Path
from typing import NamedTuple

from measuring import Measured, Setting, at_least, fresh, median, ours, plain, rounds, subset

EPOCHS, MEASURED_EPOCHS = 10, 4
"""Of every run; of the naive side, whose first epoch traces and whose others are extrapolated from."""
SIZE = 128
SEEDS = "seed=0,1,2"
HEADS = "weighting=none,balanced,sqrt_balanced,effective_number"
MORE = "weighting=none,balanced,sqrt_balanced,focal"


class Work(NamedTuple):
    """What is measured: the naive side's layers and flips, and the words of ours."""

    name: str
    goal: float
    configurations: int
    per_class: int
    """Pictures, where the data is the user's own."""
    trainable: int
    flip: bool
    words: tuple[str, ...]


def measure(setting: Setting) -> list[Measured]:
    """All figures of frozen backbones."""
    shared = ("finetune=frozen", "head=linear")
    # Random frozen weights differ from seed to seed.
    twelve = (*shared, SEEDS) if setting.weights else (*shared, "seed=0", "head.dropout=0.1,0.2,0.3")
    cold = Work("frozen Xception 128, 12 linear heads x 10 epochs, cold", 70, 12, 300, 0, False, (*twelve, HEADS))
    eight = (*twelve, HEADS, "augmentation=flip", "training.augmented_views=8")
    flips = Work("frozen with flips, 8 views, 12 heads x 10 epochs", 8, 12, 100, 0, True, eight)
    six = ("finetune=last_n", "finetune.last_n=6", "head=linear", "seed=0", HEADS)
    last = Work("last_n = 6 on Xception, 4 configurations x 10 epochs", 5, 4, 150, 6, False, six)
    found = []
    for work in (cold, flips, last):
        naive, results = _naive(setting, work), setting.scratch / f"frozen{len(found)}"
        found.append(_compared(setting, work, naive, Folders(results, results)))
        if work is cold:
            words = (*twelve, MORE, "training.learning_rate=2e-3", "sweep.name=more")
            cached = work._replace(name="12 more linear heads, features cached", goal=300, words=words)
            found.append(_compared(setting, cached, naive, Folders(results, results / "more")))
    return found


class Folders(NamedTuple):
    """Where our sweeps write."""

    results: Path
    emptied: Path
    """Before every round: all of the results, cache and MLflow included, or one sweep's."""


def _compared(setting: Setting, work: Work, naive: float, folders: Folders) -> Measured:
    """Our sweep in every round against the naive side, which is extrapolated from one long process."""
    seconds = []
    for _ in rounds(setting, work.name):
        fresh(folders.emptied)
        seconds.append(ours(*_words(setting, work), f"paths.results={folders.results}"))
    detail = f"naive {naive:.0f} s (extrapolated), ours {', '.join(f'{one:.1f}' for one in seconds)} s end to end"
    return at_least(work.name, work.goal, [naive / one for one in seconds], detail)


def _words(setting: Setting, work: Work) -> tuple[str, ...]:
    return (
        "dataset=folder",
        f"dataset.root={_folder(setting, work)}",
        "dataset.allow_outside_root=true",
        "dataset.copies=ignore",
        "dataset.conflicts=keep",
        f"dataset.image_size={SIZE}",
        "dataset.name=pictures",
        "backbone=xception",
        f"backbone.weights={setting.weights or 'none'}",
        f"training.epochs={EPOCHS}",
        "training.batch_size=32",
        "report.level=board",
        *work.words,
    )


def _folder(setting: Setting, work: Work) -> Path:
    return subset(setting, work.per_class if setting.full else 40)


def _naive(setting: Setting, work: Work) -> float:
    """Seconds of one process that trains all configurations in turn: start-up once, every epoch in full."""
    print(f"plain Keras for: {work.name}", flush=True)
    seconds = plain(
        "frozen",
        folder=_folder(setting, work),
        size=SIZE,
        weights=setting.weights,
        application="Xception",
        trainable=work.trainable,
        flip=work.flip,
        epochs=MEASURED_EPOCHS,
    )
    first, *later = seconds["epochs"]
    each = seconds["building"] + first + (EPOCHS - 1) * median(later) + seconds["predicting"]
    return float(seconds["start_up"] + work.configurations * each)
