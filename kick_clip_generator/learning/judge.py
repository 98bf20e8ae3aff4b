"""How well a model orders clips whose ratings it has not seen.

The measure is pairwise accuracy: of all pairs of clips that got different stars, the share that the model puts in the
same order; an equal score counts half, so that guessing is 0.5. It asks what the product asks (which clip comes first)
and needs no scale. Pairs are compared within one test fold only: across folds two different models would be compared,
and the mean of the ratings left out of each would leak into the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.learning.dataset import Sample

# With fewer pairs than this a single clip decides the verdict.
FEWEST_PAIRS = 10

# More streams than this share folds, so that judging costs at most this many trainings.
MOST_FOLDS = 10

# Three folds leave enough ratings in each to compare with each other.
FOLDS_WITHOUT_SOURCES = 3


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
    given, predicted = np.asarray(stars, np.float64), np.asarray(scores, np.float64)
    above = given[:, None] > given[None, :]
    agreement = (np.sign(predicted[:, None] - predicted[None, :])[above] + 1) / 2
    return Order(int(above.sum()), float(agreement.sum()))


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
    of_stream = tuple((sample.source_id, sample.kind) for sample in samples)
    if len(streams) >= 2 and order_within(of_stream, stars, stars).pairs >= FEWEST_PAIRS:
        fold_of = {stream: position % MOST_FOLDS for position, stream in enumerate(streams)}
        return Folds("leave-one-source-out", tuple(fold_of[sample.source_id] for sample in samples), of_stream)
    dealt = sorted(range(len(samples)), key=lambda i: (samples[i].kind, samples[i].stars, i))
    fold = [0] * len(samples)
    for position, index in enumerate(dealt):
        fold[index] = position % FOLDS_WITHOUT_SOURCES
    return Folds("k-fold", tuple(fold), tuple(zip(fold, (sample.kind for sample in samples), strict=True)))


def unseen_scores(
    samples: Sequence[Sample],
    folds: Folds,
    predict: Callable[[Sequence[Sample], Sequence[Sample]], NDArray[np.float64]],
) -> NDArray[np.float64]:
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
