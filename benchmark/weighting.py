"""Weighting: what a training picture of each class counts for, from the classes' training counts alone.

Every rule is normalised so that the mean weight over the training pictures is 1: the loss and the effective learning
rate stay comparable between rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from benchmark.registry import Registry

Counts = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]


class UnknownWeighting(ValueError):
    """A rule's name that no function carries."""


class AbsentClass(ValueError):
    """A class without a single training picture."""


class Weighting(Protocol):
    """The numbers that rules take besides the counts."""

    @property
    def rule(self) -> str:
        """The rule's name."""

    @property
    def beta(self) -> float:
        """`effective_number`: share of new information in the next picture, 0..1."""


Rule = Callable[[Counts, float], Weights]
_REGISTRY = Registry[Rule]("weighting.rule", UnknownWeighting)


def rule(compute: Rule) -> Rule:
    """Register the function, from counts (K,) and beta to unnormalised weights (K,), under its own name."""
    _REGISTRY.add(compute.__name__, compute)
    return compute


def names() -> tuple[str, ...]:
    """The names of all rules."""
    return _REGISTRY.names


def find(name: str) -> Rule:
    """The rule of this name.

    Raises:
        UnknownWeighting: there is none.
    """
    return _REGISTRY.find(name)


def weigh(weighting: Weighting, labels: npt.NDArray[np.int64], classes: Sequence[str]) -> Weights:
    """K class weights, mean 1 over the training pictures with these labels (N indices into the K classes).

    Raises:
        AbsentClass: a class has no training picture.
        UnknownWeighting: no rule has this name.
    """
    compute = find(weighting.rule)
    counts = np.bincount(labels, minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if absent:
        raise AbsentClass(
            f"found no training picture of {', '.join(absent)}; expected at least one of every class: add pictures, "
            "change the split's seed, or leave the class out with dataset.classes"
        )
    weights = compute(counts, weighting.beta)
    return weights * counts.sum() / (weights * counts).sum()


def epoch_order(
    weighting: Weighting, labels: npt.NDArray[np.int64], random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Indices into the labels in the order of one epoch: every picture once, or the rule's own sample of them."""
    rows = oversampled(labels, random) if weighting.rule == "oversample" else np.arange(len(labels))
    return random.permutation(rows)


def oversampled(labels: npt.NDArray[np.int64], random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Indices with as many pictures of every class as the largest has; a picture is drawn m or m+1 times, m >= 1."""
    largest = np.bincount(labels).max()
    drawn = []
    for one in np.unique(labels):
        rows = np.flatnonzero(labels == one)
        whole, rest = divmod(int(largest), len(rows))
        drawn += [np.tile(rows, whole), random.choice(rows, size=rest, replace=False)]
    return np.concatenate(drawn)


@rule
def none(counts: Counts, beta: float) -> Weights:
    """Every picture counts the same."""
    return np.ones(len(counts))


@rule
def balanced(counts: Counts, beta: float) -> Weights:
    """Every class counts the same: total / (K * count)."""
    return counts.sum() / (len(counts) * counts)


@rule
def max_ratio(counts: Counts, beta: float) -> Weights:
    """Largest count / count: `balanced` before normalisation to mean 1, and the same after it."""
    return counts.max() / counts


@rule
def sqrt_balanced(counts: Counts, beta: float) -> Weights:
    """The square root of `balanced`: half way, on a logarithmic scale, between `none` and `balanced`."""
    return np.sqrt(counts.sum() / (len(counts) * counts))


@rule
def effective_number(counts: Counts, beta: float) -> Weights:
    """(1 - beta) / (1 - beta^count): the inverse effective number of samples (Cui et al. 2019, CVPR)."""
    return (1 - beta) / (1 - np.power(beta, counts))


@rule
def oversample(counts: Counts, beta: float) -> Weights:
    """Every picture counts the same; pictures of small classes are seen more often (see `oversampled`)."""
    return np.ones(len(counts))
