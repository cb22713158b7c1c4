"""Frozen backbones: twelve linear heads cold, twelve more with features cached, with flips, and the last layers.

The plain side is a process that trains the configurations one after the other. Each round measures one whole run of it,
start-up apart, and counts it once for every configuration and the start-up once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from figures import Figure, Goal, Round, Work, at_least
from measuring import Parted, Setting, fresh, ours, parted, plain, require_different, rounds, subset

SIZE, BATCH = 128, 32
SEEDS = "seed=0,1,2"
HEADS = "weighting=none,balanced,sqrt_balanced,effective_number"
MORE = "weighting=none,balanced,sqrt_balanced,focal"
ROW = "frozen Xception 128, 12 linear heads x 10 epochs, cold"
SWEEP = "pictures"


class Plain(NamedTuple):
    """The plain side of a sweep: its last layers that learn, and whether it flips."""

    trainable: int
    flip: bool


class Sweep(NamedTuple):
    """What is measured: its promise, how many pictures, the plain side, and the words of ours."""

    name: str
    goal: Goal
    configurations: int
    pictures: int
    """Where the data is the user's own."""
    plain: Plain
    words: tuple[str, ...]


class Keras(NamedTuple):
    """Seconds of a process of plain Keras."""

    start_up: float
    run: float
    """Building, ten epochs and the prediction of the test part, whole."""


def measure(setting: Setting) -> Iterator[Figure]:
    """All figures of frozen backbones."""
    cold = cold_sweep(setting)
    results, theirs = setting.scratch / "frozen", list[Keras]()
    yield _compared(setting, cold, results, results, theirs)
    words = (*_twelve(setting), MORE, "training.learning_rate=2e-3", "sweep.name=more")
    more = cold._replace(name="12 more linear heads, features cached", goal=at_least(300), words=words)
    yield _compared(setting, more, results, results / "more", theirs)
    eight = (*_twelve(setting), HEADS, "augmentation=flip", "training.augmented_views=8")
    flips = Sweep("frozen with flips, 8 views, 12 heads x 10 epochs", at_least(8), 12, 300, Plain(0, True), eight)
    six = ("finetune=last_n", "finetune.last_n=6", "head=linear", "seed=0", HEADS)
    last = Sweep("last_n = 6 on Xception, 4 configurations x 10 epochs", at_least(5), 4, 400, Plain(6, False), six)
    for number, sweep in enumerate((flips, last)):
        folder = setting.scratch / f"frozen{number}"
        yield _compared(setting, sweep, folder, folder, [])


def cold_sweep(setting: Setting) -> Sweep:
    """The first row of the table."""
    return Sweep(ROW, at_least(70), 12, 1500, Plain(0, False), (*_twelve(setting), HEADS))


def words_of(setting: Setting, sweep: Sweep) -> tuple[str, ...]:
    """The options of our sweep, results folder apart."""
    return (
        "dataset=folder",
        f"dataset.root={_folder(setting, sweep)}",
        "dataset.allow_outside_root=true",
        "dataset.copies=ignore",
        "dataset.conflicts=keep",
        f"dataset.image_size={SIZE}",
        f"dataset.name={SWEEP}",
        "backbone=xception",
        f"backbone.weights={setting.weights or 'none'}",
        f"training.epochs={_epochs(setting)}",
        f"training.batch_size={BATCH}",
        "report.level=board",
        *sweep.words,
    )


def _twelve(setting: Setting) -> tuple[str, ...]:
    """Three of each weighting. Random frozen weights differ from seed to seed, so there the dropout varies."""
    return ("finetune=frozen", "head=linear", *([SEEDS] if setting.weights else ["seed=0", "head.dropout=0.1,0.2,0.3"]))


def _compared(setting: Setting, sweep: Sweep, results: Path, emptied: Path, theirs: list[Keras]) -> Figure:
    """Both sides in every round; `emptied` is all of our results, cache and MLflow included, or one sweep's.

    What the plain side took is put into `theirs`; where it is there already, it is the same work and not done again.
    """
    words, found, had = words_of(setting, sweep), [], len(theirs)
    data = parted(words, setting.scratch / f"parted{sweep.pictures}")
    for turn in rounds(setting, sweep.name):
        if not had:
            theirs.append(_keras(setting, sweep, data))
        fresh(emptied)
        mine = ours(*words, f"paths.results={results}")
        found.append(Round(mine, theirs[turn].start_up + sweep.configurations * theirs[turn].run))
        require_different(emptied if emptied != results else results / SWEEP)
    whole = ", ".join(f"{one.run:.1f}" for one in theirs)
    train, val, test = data.counts
    note = f"end to end; {train} train, {val} val, {test} test pictures on both sides; plain Keras is its start-up and "
    note += f"{sweep.configurations} times a whole run, measured in each round: {whole} s"
    note += f" (those of the row `{ROW}`, which are the same work)" if had else ""
    runs, epochs = sweep.configurations, _epochs(setting)
    return Figure(Work(sweep.name, sweep.goal, *setting.names, sum(data.counts), runs, epochs), found, note)


def _keras(setting: Setting, sweep: Sweep, data: Parted) -> Keras:
    """One whole run of the plain side, in a process of its own."""
    found = plain(
        "frozen",
        folder=data.root,
        size=SIZE,
        batch=BATCH,
        weights=setting.weights,
        application="Xception",
        trainable=sweep.plain.trainable,
        flip=sweep.plain.flip,
        epochs=_epochs(setting),
    )
    return Keras(**found)


def _folder(setting: Setting, sweep: Sweep) -> Path:
    return subset(setting, sweep.pictures if setting.given and not setting.quick else 160)


def _epochs(setting: Setting) -> int:
    return setting.many(10, 2)
