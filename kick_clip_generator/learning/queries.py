"""Which clip to ask about next: people want to see good ones, and the model wants to know what it cannot tell yet.

A strategy is a plain function: it gives every clip that may be asked about a score, and the highest is asked. A mix of
strategies takes turns by its shares. Beliefs follow every question as if it had been answered, so that five questions
in a row are not about five clips that are nearly the same (Desautels et al., Parallelizing Exploration-Exploitation
Tradeoffs in Gaussian Process Bandit Optimization, 2014). Without a single rating the beliefs are the heuristic's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kick_clip_generator.core.clip_row import HEURISTIC
from kick_clip_generator.learning.aspects import aspects_of
from kick_clip_generator.learning.taste import NOISE, Alike, Array, Scale

# How many standard deviations of doubt count for a clip that may turn out good.
CURIOSITY = 1.0

# What a clip gains over one of a group (a kind of a channel) that every question so far was about.
COVERAGE = 0.1

# Below this a clip would not have been shown.
HIDDEN_BELOW = 0.05

# The heuristic's score where nobody kept it.
UNKNOWN = 0.5

GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(slots=True)
class Beliefs:
    """What is thought of clips, those that were rated among them.

    Attributes:
        mean: what the person thinks of each, 0-1.
        covariance: what is not known, and what one answer tells of the others.
        heuristic: what the heuristic made of them.
        groups: whom each stands for, e.g. its channel and kind.
        asked: how often each group was asked about.
    """

    mean: Array
    covariance: Array
    heuristic: Array
    groups: Sequence[Hashable]
    asked: dict[Hashable, int]

    @classmethod
    def before(cls, values: Array, names: Sequence[str], groups: Sequence[Hashable]) -> Beliefs:
        """Before any rating, when all is as the heuristic says.

        Args:
            values: feature rows as a table with the columns `names`, see `dataset.table`.
            groups: of each row.
        """
        heuristic = np.full(len(values), UNKNOWN)
        if HEURISTIC in names:
            column = values[:, list(names).index(HEURISTIC)]
            heuristic = np.where(np.isfinite(column), np.clip(column, 0.0, 1.0), UNKNOWN)
        alike = Alike.of(aspects_of(names), Scale.of(values))
        rows = alike.rows(values)
        return cls(heuristic, alike(rows, rows, heuristic, heuristic), heuristic, groups, {})

    @property
    def doubt(self) -> Array:
        """The standard deviation of each clip's mean."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    @property
    def rarity(self) -> Array:
        """0 for clips of the only group that was asked about, 1 for those of a group that never was."""
        total = sum(self.asked.values())
        return np.array([1 - self.asked.get(group, 0) / total if total else 1.0 for group in self.groups])

    def rated(self, indices: Sequence[int], wanted: Array) -> Beliefs:
        """What is thought once clips were rated.

        Args:
            indices: which ones.
            wanted: what they were rated, 0-1.
        """
        if not len(indices):
            return self
        across = self.covariance[:, indices]
        gain = np.linalg.solve(across[indices] + NOISE * np.eye(len(indices)), across.T).T
        asked = dict(self.asked)
        for index in indices:
            asked[self.groups[index]] = asked.get(self.groups[index], 0) + 1
        return Beliefs(
            self.mean + gain @ (wanted - self.mean[indices]),
            self.covariance - gain @ across.T,
            self.heuristic,
            self.groups,
            asked,
        )

    def expected(self, index: int) -> Beliefs:
        """What is thought once a clip is rated as it is expected to be: the doubt shrinks, there and nearby."""
        return self.rated([index], self.mean[[index]])


Strategy = Callable[[Beliefs], Array]


def best(beliefs: Beliefs) -> Array:
    """What the person will like most."""
    return beliefs.mean


def promising(beliefs: Beliefs) -> Array:
    """What the person may like most, as far as is known (the upper confidence bound of Auer 2002)."""
    return np.asarray(beliefs.mean + CURIOSITY * beliefs.doubt + COVERAGE * beliefs.rarity)


def unsure(beliefs: Beliefs) -> Array:
    """What is known least (variance reduction)."""
    return np.asarray(beliefs.doubt + COVERAGE * beliefs.rarity)


def hidden(beliefs: Beliefs) -> Array:
    """Promising ones among those that the heuristic would not have shown."""
    return np.where(beliefs.heuristic < HIDDEN_BELOW, promising(beliefs), -np.inf)


STRATEGIES: Mapping[str, Strategy] = {"best": best, "promising": promising, "unsure": unsure, "hidden": hidden}


def turn(mix: Mapping[str, float], number: int) -> Strategy:
    """Whose turn the question of that number is, the first being 0, so that turns follow the shares at any time.

    Args:
        mix: shares of the names of `STRATEGIES`, not all 0.

    Raises:
        ValueError: for a name that is none, a negative share, or no share at all.
    """
    unknown = set(mix) - set(STRATEGIES)
    total = sum(mix.values())
    if unknown or not total > 0 or not all(math.isfinite(share) and share >= 0 for share in mix.values()):
        raise ValueError(f"expected shares of {', '.join(STRATEGIES)}, got {dict(mix)}")
    # Multiples of the golden ratio fill 0-1 evenly at any time (Weyl 1916), and the same number gives the same turn.
    place = (number * GOLDEN) % 1.0 * total
    for name, share in mix.items():
        place -= share
        if place < 0:
            return STRATEGIES[name]
    return STRATEGIES[max(mix, key=lambda name: mix[name])]


def choose(
    beliefs: Beliefs, open_clips: Sequence[int], count: int, *, mix: Mapping[str, float], first: int = 0
) -> list[int]:
    """The clips to ask about next, in that order; all of the open ones when there are fewer.

    Args:
        open_clips: indices of those that may be asked about.
        mix: see `turn`.
        first: how many questions were answered before.
    """
    waiting = np.zeros(len(beliefs.mean), bool)
    waiting[list(open_clips)] = True
    chosen: list[int] = []
    for number in range(first, first + min(count, int(waiting.sum()))):
        if chosen:
            beliefs = beliefs.expected(chosen[-1])
        score = np.where(waiting, turn(mix, number)(beliefs), -np.inf)
        if not np.isfinite(score).any():
            score = np.where(waiting, promising(beliefs), -np.inf)
        chosen.append(int(np.argmax(score)))
        waiting[chosen[-1]] = False
    return chosen
