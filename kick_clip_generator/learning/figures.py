"""Figures that say how well scores rank clips that somebody rated: NDCG@10, pairs, Spearman, with intervals.

Each is taken within a group of clips that compete with each other (those of one stream), then the mean over groups.
The intervals are what the mean would be with other streams: groups drawn anew with replacement, 2.5 to 97.5 % of the
draws (Efron's percentile bootstrap). The same ratings give the same intervals.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FIRST = 10

# Draws of the bootstrap, and the fewest groups from which it says anything.
DRAWS = 1000
FEWEST_GROUPS = 3

NAMES = ("ndcg", "pairwise", "spearman")


def ndcg(stars: Sequence[float] | Array, scores: Sequence[float] | Array, first: int = FIRST) -> float:
    """How good the first clips of a ranking are: 1 for the best order there is, 0 for what chance gives.

    Normalized discounted cumulative gain with the exponential gain `2^stars - 1` (Burges et al., 2005), rescaled as
    `(NDCG - random) / (1 - random)` with the expectation of a random order. Equal scores share their places.

    Returns:
        NaN where every order is as good as any other.
    """
    gain = 2.0 ** np.asarray(stars, np.float64) - 1
    ranked = np.asarray(scores, np.float64)
    discount = np.zeros(len(gain))
    discount[:first] = 1 / np.log2(np.arange(2, min(first, len(gain)) + 2))
    best = float(np.sort(gain)[::-1] @ discount)
    chance = float(gain.mean() * discount.sum()) if len(gain) else 0.0
    if not best > chance * (1 + 1e-12):
        return math.nan
    order = np.argsort(-ranked, kind="stable")
    _, tie, count = np.unique(-ranked[order], return_inverse=True, return_counts=True)
    shared = (np.bincount(tie, weights=discount) / count)[tie]
    return (float(gain[order] @ shared) - chance) / (best - chance)


def pairs(stars: Sequence[float] | Array, scores: Sequence[float] | Array) -> tuple[int, float]:
    """How many pairs of clips have different stars, and how many of them are in that order; equal scores count half."""
    given, predicted = np.asarray(stars, np.float64), np.asarray(scores, np.float64)
    above = given[:, None] > given[None, :]
    agreement = (np.sign(predicted[:, None] - predicted[None, :])[above] + 1) / 2
    return int(above.sum()), float(agreement.sum())


def spearman(stars: Sequence[float] | Array, scores: Sequence[float] | Array) -> float:
    """Correlation of the ranks; NaN where all stars or all scores are equal."""
    one, other = _ranks(np.asarray(stars, np.float64)), _ranks(np.asarray(scores, np.float64))
    if len(one) < 2 or one.std() == 0 or other.std() == 0:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over groups, and the interval that 95 % of other draws would give; NaN where it is not known."""

    value: float
    low: float
    high: float

    def as_list(self) -> list[float | None]:
        """Value, low and high as JSON takes them."""
        return [None if math.isnan(x) else round(x, 4) for x in (self.value, self.low, self.high)]


def figures(groups: Sequence[Hashable], stars: Sequence[float], scores: Array) -> Mapping[str, Array]:
    """The figures `NAMES` of each group, in the order in which the groups first occur; NaN where not known."""
    members: dict[Hashable, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    given = np.asarray(stars, np.float64)
    rows = []
    for inside in members.values():
        count, agreeing = pairs(given[inside], scores[inside])
        share = agreeing / count if count else math.nan
        rows.append((ndcg(given[inside], scores[inside]), share, spearman(given[inside], scores[inside])))
    table = np.array(rows, np.float64).reshape(len(members), len(NAMES))
    return dict(zip(NAMES, table.T, strict=True))


def mean_over(values: Array) -> Figure:
    """The mean over groups, leaving out what is not known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Figure(math.nan, math.nan, math.nan)
    value = float(known.mean())
    if len(known) < FEWEST_GROUPS:
        return Figure(value, math.nan, math.nan)
    drawn = np.random.default_rng(len(known)).integers(0, len(known), (DRAWS, len(known)))
    low, high = np.quantile(known[drawn].mean(axis=1), [0.025, 0.975])
    return Figure(value, float(low), float(high))


def _ranks(values: Array) -> Array:
    """Ranks, the same for equal values."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count + 1) / 2)[place], np.float64)
