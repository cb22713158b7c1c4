"""Bundles: runs that go to a worker together, in the order that computes least and shows results soonest (pure).

The estimates count picture passes, one picture through one backbone, forward only; a training step costs three.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmark import sharing
from benchmark.spec import RunSpec

LARGEST_STACK = 32
"""Heads in one compiled program: more save nothing and take memory."""
SHARE_ABOVE = 0.1
"""Of a backbone's operations, those of the layers that learn with `last_n`: a guess, exact only once it is built."""
UNKNOWN_GFLOPS = 10.0
"""For ordering alone: a network of unknown cost comes among the large ones."""


class Todo(NamedTuple):
    """A run that is to be done, as far as sharing and cost are concerned."""

    run_id: str
    spec: RunSpec
    pictures: Mapping[str, int]
    """How many pictures each split has."""
    gflops: float | None
    """10^9 operations for one picture through the backbone; None = unknown."""


class Bundle(NamedTuple):
    """Runs for one order: one run, or a stack of heads."""

    runs: tuple[Todo, ...]
    activations: str | None
    """Equal for bundles that train on the same activations."""
    network: str
    """Equal for bundles that need the same compiled network."""


class Passes(NamedTuple):
    """How often pictures pass through backbones."""

    naive: int
    """When every epoch of every run passes all of its pictures through the whole network."""
    needed: int


def bundles(todo: Sequence[Todo], stack: bool) -> list[Bundle]:
    """The runs in bundles: what shares activations or a network comes together, the cheapest first."""
    stacks: dict[str, list[Todo]] = defaultdict(list)
    for run in todo:
        key = sharing.stack(run.spec) if stack else None
        stacks[key or run.run_id].append(run)
    made = [
        Bundle(tuple(some), sharing.activations(some[0].spec), sharing.network(some[0].spec))
        for runs in stacks.values()
        for some in _parts(runs)
    ]
    groups: dict[str, list[Bundle]] = defaultdict(list)
    for bundle in made:
        groups[bundle.activations or bundle.network].append(bundle)
    ordered = sorted(groups.values(), key=lambda group: work([run for bundle in group for run in bundle.runs]))
    return [bundle for group in ordered for bundle in sorted(group, key=lambda one: (one.network, -len(one.runs)))]


def passes(todo: Sequence[Todo]) -> Passes:
    """Picture passes through backbones, done naively and done here."""
    return Passes(sum(_naive(run) for run in todo), sum(_shared(todo)) + sum(_own(run) for run in todo))


def work(todo: Sequence[Todo]) -> float:
    """About how many 10^9 floating-point operations the runs take together, what they share counted once."""
    own = sum((_own(run) + SHARE_ABOVE * _above(run)) * (run.gflops or UNKNOWN_GFLOPS) for run in todo)
    first = {sharing.activations(run.spec): run for run in reversed(todo)}
    shared = sum(_extraction(run) * (run.gflops or UNKNOWN_GFLOPS) for key, run in first.items() if key is not None)
    return own + shared


def _parts(runs: list[Todo]) -> list[list[Todo]]:
    """The runs in parts of nearly equal size, none larger than a stack may be."""
    number = -(-len(runs) // LARGEST_STACK)
    return [runs[len(runs) * part // number : len(runs) * (part + 1) // number] for part in range(number)]


def _naive(run: Todo) -> int:
    """Picture passes of a run that keeps nothing: training costs three where the backbone learns."""
    pictures, spec = run.pictures, run.spec
    epochs, training = spec.training.epochs, 1 if spec.finetune.mode == "frozen" else 3
    return epochs * (training * pictures["train"] + pictures["val"]) + pictures["val"] + pictures["test"]


def _own(run: Todo) -> int:
    """Picture passes that a run shares with no other."""
    spec, pictures = run.spec, run.pictures
    if sharing.activations(spec) is None:
        return _naive(run)
    if spec.finetune.mode == "frozen":
        return 0
    if spec.finetune.mode == "staged" and spec.finetune.last_n is None:
        epochs = spec.training.epochs - spec.finetune.frozen_epochs
        return epochs * (3 * pictures["train"] + pictures["val"]) + pictures["val"] + pictures["test"]
    return 0


def _above(run: Todo) -> int:
    """Picture passes, each through the few layers of the backbone that learn from kept activations."""
    spec, pictures = run.spec, run.pictures
    if sharing.activations(spec) is None or spec.finetune.last_n is None:
        return 0
    epochs = spec.training.epochs - (spec.finetune.frozen_epochs if spec.finetune.mode == "staged" else 0)
    return epochs * (3 * pictures["train"] + pictures["val"]) + pictures["val"] + pictures["test"]


def _extraction(run: Todo) -> int:
    """Picture passes that compute the activations of a run."""
    return sum(run.pictures.values()) + sharing.views(run.spec) * run.pictures["train"]


def _shared(todo: Sequence[Todo]) -> list[int]:
    """The picture passes of every set of activations that is computed once."""
    first = {sharing.activations(run.spec): run for run in reversed(todo)}
    return [_extraction(run) for key, run in first.items() if key is not None]
