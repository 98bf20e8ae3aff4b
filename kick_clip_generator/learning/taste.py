"""A person's taste as a Gaussian process: it begins where the heuristic stands and moves as far as ratings speak.

What somebody thinks of a clip is the heuristic's score, plus a liking for what the heuristic likes, plus a smooth
function of what the clip is like. Each part has a prior that says how large it may be; ratings turn it into a
posterior, which is a mean and, for asking what is not known yet, a covariance. Few ratings near a clip leave it to the
heuristic, many take over: the blend needs no weight (Rasmussen and Williams, Gaussian Processes for Machine Learning,
2006, algorithm 2.1). numpy alone, for the queue of clips to rate needs it where no scikit-learn is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Variances in units of (0-1)², where 0 is one star and 1 is five, and the reach in standard deviations of the rated
# clips. Half or twice each of them changes little (docs/decisions/0023).
SMOOTH, OFFSET, SLOPE, NOISE = 0.2, 0.2, 0.5, 0.1
REACH = 0.7

# How far apart two heuristic scores are before clips of like sound and picture are no longer alike.
HEURISTIC_REACH = 1.0

# One odd signal must not make a clip unlike every other.
MOST_DEVIATIONS = 4.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How columns become comparable: `arcsinh` tames heavy tails, then the deviation from the middle in spreads.

    Attributes:
        middle, spread: per column; a column that never varies has an infinite spread and says nothing.
    """

    middle: Array
    spread: Array

    @classmethod
    def of(cls, values: Array) -> Scale:
        """Of rows, shape `(n, columns)`; NaN is unknown."""
        tamed = np.arcsinh(values)
        known = np.isfinite(tamed)
        count = np.maximum(known.sum(axis=0), 1)
        middle = np.where(known, tamed, 0.0).sum(axis=0) / count
        spread = np.sqrt(np.where(known, (tamed - middle) ** 2, 0.0).sum(axis=0) / count)
        # Equal numbers differ by rounding once their mean is taken.
        varies = spread > 1e-9 * np.maximum(1.0, np.abs(middle))
        return cls(middle, np.where(varies, spread, np.inf))

    def __call__(self, values: Array) -> Array:
        """Deviations, shape as `values`; what is not known deviates by nothing."""
        deviations = (np.arcsinh(values) - self.middle) / self.spread
        return np.nan_to_num(np.clip(deviations, -MOST_DEVIATIONS, MOST_DEVIATIONS), nan=0.0)


@dataclass(frozen=True, slots=True)
class Alike:
    """How alike clips are: the covariance that the prior gives them.

    Attributes:
        weight: of each column; those of an aspect share what the aspect has, and all aspects have the same.
        scale: of the columns.
    """

    weight: Array
    scale: Scale

    @classmethod
    def of(cls, aspects: NDArray[np.intp], scale: Scale) -> Alike:
        """Of the columns that vary.

        Args:
            aspects: the number of each column's aspect, negative for none.
            scale: of the columns.
        """
        counted = (aspects >= 0) & np.isfinite(scale.spread)
        present, aspect, size = np.unique(aspects[counted], return_inverse=True, return_counts=True)
        weight = np.zeros(len(aspects))
        weight[counted] = 1 / (size[aspect] * len(present))
        return cls(weight, scale)

    def rows(self, values: Array) -> Array:
        """Where clips stand, so that their distance is how unlike they are; shape as `values`."""
        return np.asarray(self.scale(values) * np.sqrt(self.weight))

    def __call__(self, one: Array, other: Array, one_heuristic: Array, other_heuristic: Array) -> Array:
        """Covariance of clips, shape `(len(one), len(other))`.

        Args:
            one, other: where they stand, see `rows`.
            one_heuristic, other_heuristic: what the heuristic made of them, 0-1.
        """
        # In place, for with a thousand ratings each of these arrays has 8 MB.
        distance = one @ other.T
        distance *= -2
        distance += (one**2).sum(axis=1)[:, None]
        distance += (other**2).sum(axis=1)[None, :]
        np.maximum(distance, 0.0, out=distance)
        distance /= REACH**2
        distance += ((one_heuristic[:, None] - other_heuristic[None, :]) / HEURISTIC_REACH) ** 2
        distance /= -2
        covariance = np.exp(distance, out=distance)
        covariance *= SMOOTH
        covariance += OFFSET
        covariance += np.outer(SLOPE * one_heuristic, other_heuristic)
        return np.asarray(covariance)


@dataclass(frozen=True, slots=True)
class Taste:
    """What ratings say about clips.

    Attributes:
        alike: how alike clips are.
        rows: where the rated clips stand, shape `(n, columns)`.
        heuristic: what the heuristic made of them, shape `(n,)`.
        pull: what each rating adds to a clip that is wholly like it, shape `(n,)`.
    """

    alike: Alike
    rows: Array
    heuristic: Array
    pull: Array

    @classmethod
    def of(cls, alike: Alike, rows: Array, heuristic: Array, wanted: Array) -> Taste:
        """Learn from ratings.

        Args:
            alike: how alike clips are.
            rows: where the rated clips stand, see `Alike.rows`.
            heuristic: their heuristic scores; where nobody knows, the same guess for all.
            wanted: what they were rated, 0-1.
        """
        covariance = alike(rows, rows, heuristic, heuristic)
        covariance[np.diag_indices(len(rows))] += NOISE
        return cls(alike, rows, heuristic, np.asarray(np.linalg.solve(covariance, wanted - heuristic), np.float64))

    def mean(self, rows: Array, heuristic: Array) -> Array:
        """What the person will think of clips, about 0-1, shape `(len(rows),)`."""
        return np.asarray(heuristic + self.alike(rows, self.rows, heuristic, self.heuristic) @ self.pull)
