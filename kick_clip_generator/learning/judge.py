"""How well a model orders clips whose ratings it has not seen.

Two ways to see no rating twice: whole streams are left out, one after the other, and each is judged by a model of the
others; and progressively, in the order in which the ratings came: predict the next ones, then learn from them. Clips
are compared within one test only: across tests two different models would be compared, and the mean of the ratings
left out of each would leak into the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.learning.dataset import Sample
from kick_clip_generator.learning.figures import pairs

# With fewer pairs than this a single clip decides the verdict.
FEWEST_PAIRS = 10

# More streams than this share folds, so that judging costs at most this many trainings.
MOST_FOLDS = 8

# Three folds leave enough ratings in each to compare with each other.
FOLDS_WITHOUT_SOURCES = 3

# As many steps of progressive validation, of at least so many ratings.
MOST_STEPS = 6
SHORTEST_STEP = 5

Predict = Callable[[Sequence[Sample], Sequence[Sample]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Order:
    """How a set of pairs came out.

    Attributes:
        pairs: pairs of clips with different stars.
        agreeing: how many of them are in the right order; equal scores count half.
    """

    pairs: int = 0
    agreeing: float = 0.0

    @property
    def accuracy(self) -> float:
        """0-1; NaN without pairs."""
        return self.agreeing / self.pairs if self.pairs else math.nan

    def __add__(self, other: Order) -> Order:
        return Order(self.pairs + other.pairs, self.agreeing + other.agreeing)


def order(stars: Sequence[float], scores: Sequence[float]) -> Order:
    """Compare every pair of one group."""
    return Order(*pairs(stars, scores))


def order_within(groups: Sequence[Hashable], stars: Sequence[float], scores: Sequence[float]) -> Order:
    """Compare every pair of clips that are in the same group."""
    members: dict[Hashable, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    found = (order([stars[i] for i in group], [scores[i] for i in group]) for group in members.values())
    return sum(found, Order())


@dataclass(frozen=True, slots=True)
class Folds:
    """How ratings are put aside for judging.

    Attributes:
        method: "leave-one-source-out" or "k-fold".
        fold: for each sample, the fold it is tested in.
        group: for each sample, whom it is compared with.
    """

    method: str
    fold: tuple[int, ...]
    group: tuple[Hashable, ...]

    @property
    def count(self) -> int:
        return len(set(self.fold))


def plan_folds(samples: Sequence[Sample]) -> Folds:
    """Whole streams are put aside where that leaves enough pairs, for clips of a stream resemble each other.

    Otherwise each fold gets a like share of every kind and star. The same samples give the same folds.
    """
    stars = [sample.stars for sample in samples]
    streams = sorted({sample.source_id for sample in samples})
    of_stream = tuple(sample.source_id for sample in samples)
    if len(streams) >= 2 and order_within(of_stream, stars, stars).pairs >= FEWEST_PAIRS:
        fold_of = {stream: position % MOST_FOLDS for position, stream in enumerate(streams)}
        return Folds("leave-one-source-out", tuple(fold_of[sample.source_id] for sample in samples), of_stream)
    dealt = sorted(range(len(samples)), key=lambda i: (samples[i].kind, samples[i].stars, i))
    fold = [0] * len(samples)
    for position, index in enumerate(dealt):
        fold[index] = position % FOLDS_WITHOUT_SOURCES
    return Folds("k-fold", tuple(fold), tuple(fold))


def unseen_scores(samples: Sequence[Sample], folds: Folds, predict: Predict) -> NDArray[np.float64]:
    """A score of each sample by a model that was trained without its fold.

    Args:
        samples: all ratings.
        folds: of `plan_folds`.
        predict: scores for its second argument by a model trained on its first.

    Returns:
        Shape `(len(samples),)`.
    """
    scores = np.full(len(samples), np.nan)
    for fold in sorted(set(folds.fold)):
        inside = [i for i, other in enumerate(folds.fold) if other == fold]
        outside = [sample for sample, other in zip(samples, folds.fold, strict=True) if other != fold]
        scores[inside] = predict(outside, [samples[i] for i in inside])
    return scores


@dataclass(frozen=True, slots=True)
class Progress:
    """What progressive validation found.

    Attributes:
        scores: of each sample by a model of the earlier ones; NaN for the first, which nothing was known before.
        step: for each sample, the step in which it was predicted, -1 for the first.
    """

    scores: NDArray[np.float64]
    step: tuple[int, ...]


def progressive_scores(samples: Sequence[Sample], first: int, predict: Predict) -> Progress:
    """Predict the next ratings, then learn from them (as river's `progressive_val_score`, Gama et al. 2009).

    Args:
        samples: all ratings, in any order.
        first: how many there must be before the first model.
        predict: scores for its second argument by a model trained on its first.
    """
    came = sorted(range(len(samples)), key=lambda i: (samples[i].rated_at, i))
    length = max(SHORTEST_STEP, math.ceil((len(came) - first) / MOST_STEPS))
    scores, step = np.full(len(samples), np.nan), [-1] * len(samples)
    for number, begin in enumerate(range(first, len(came), length)):
        asked = came[begin : begin + length]
        # In the order of the samples, so that the same ratings give the same model.
        scores[asked] = predict([samples[i] for i in sorted(came[:begin])], [samples[i] for i in asked])
        for index in asked:
            step[index] = number
    return Progress(scores, tuple(step))
