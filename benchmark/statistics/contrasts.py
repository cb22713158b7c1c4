"""Contrasts: which differences between candidates are asked for."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from benchmark.statistics.outcomes import Floats, Integers


class InvalidContrasts(ValueError):
    """Weights that do not describe differences between candidates."""


class Contrasts(Protocol):
    """Q differences between K candidates."""

    @property
    def count(self) -> int:
        """Number of differences Q."""

    def of_rows(self, values: Floats) -> Floats:
        """Differences of one value per candidate, [b, K] to [b, Q]."""

    def of_squares(self, variances: Floats) -> Floats:
        """Variances of differences of independent values, [b, K] to [b, Q]."""

    def of_matrix(self, leads: Floats) -> Floats:
        """Differences put together from those of all pairs, [K, K, b] (antisymmetric) to [b, Q]."""

    def square_norms(self, values: Floats) -> Floats:
        """Sums of squared differences of one vector per candidate, [K, G] to [Q]."""


class Pairs:
    """All K (K - 1) / 2 unordered pairs: `first` minus `second`, both int [Q]."""

    def __init__(self, candidates: int) -> None:
        self.first: Integers
        self.second: Integers
        self.first, self.second = np.triu_indices(candidates, 1)

    @property
    def count(self) -> int:
        """Number of pairs Q."""
        return self.first.size

    def of_rows(self, values: Floats) -> Floats:
        """Differences of one value per candidate, [b, K] to [b, Q]."""
        return values.take(self.first, axis=1) - values.take(self.second, axis=1)

    def of_squares(self, variances: Floats) -> Floats:
        """Variances of differences of independent values, [b, K] to [b, Q]."""
        return variances.take(self.first, axis=1) + variances.take(self.second, axis=1)

    def of_matrix(self, leads: Floats) -> Floats:
        """Differences of the pairs, [K, K, b] to [b, Q]."""
        return leads[self.first, self.second].T

    def square_norms(self, values: Floats) -> Floats:
        """Sums of squared differences of one vector per candidate, [K, G] to [Q]."""
        rows = (np.square(values[k + 1 :] - values[k]).sum(axis=1) for k in range(len(values)))
        return np.concatenate(list(rows))


class WeightedContrasts:
    """Weighted sums of candidates whose weights sum to 0, such as a mean of differences.

    weights: [Q, K], each row sums to 0 and is not all 0.

    Raises InvalidContrasts for another shape, sum, or an empty row.
    """

    def __init__(self, weights: ArrayLike, candidates: int) -> None:
        self.weights = np.array(weights, dtype=np.float64)
        if self.weights.ndim != 2 or self.weights.shape[1] != candidates or not len(self.weights):
            raise InvalidContrasts(
                f"weights have shape {self.weights.shape} but (contrasts >= 1, {candidates}) is needed; "
                "give one row per contrast and one column per candidate"
            )
        mass = np.abs(self.weights).sum(axis=1)
        sums = np.abs(self.weights.sum(axis=1))
        if not (np.isfinite(mass).all() and (mass > 0).all() and (sums <= 1e-9 * mass).all()):
            raise InvalidContrasts(
                f"the rows of the weights sum to {self.weights.sum(axis=1).tolist()} but 0 is needed, with some "
                "weight not 0; give the better side positive and the other side equal negative weight"
            )

    @property
    def count(self) -> int:
        """Number of contrasts Q."""
        return len(self.weights)

    def of_rows(self, values: Floats) -> Floats:
        """Differences of one value per candidate, [b, K] to [b, Q]."""
        return values @ self.weights.T

    def of_squares(self, variances: Floats) -> Floats:
        """Variances of differences of independent values, [b, K] to [b, Q]."""
        return variances @ np.square(self.weights).T

    def of_matrix(self, leads: Floats) -> Floats:
        """Differences put together from those of all pairs, [K, K, b] to [b, Q].

        Every candidate of the positive side is paired with every one of the negative side, weighted by the
        product of their weights: for a metric that is a mean of pseudo-values this is the contrast itself.
        """
        positive, negative = np.maximum(self.weights, 0), np.maximum(-self.weights, 0)
        sides = np.tensordot(positive, leads, axes=1)
        return np.einsum("qkb,qk->bq", sides, negative / positive.sum(axis=1, keepdims=True))

    def square_norms(self, values: Floats) -> Floats:
        """Sums of squared differences of one vector per candidate, [K, G] to [Q]."""
        return np.square(self.weights @ values).sum(axis=1)
