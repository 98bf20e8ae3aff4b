"""One list of all media, one highlight per moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kick_clip_generator.core.records import Highlight
from kick_clip_generator.highlights.anchors import ODDS_POWER
from kick_clip_generator.highlights.media import ABOUT
from kick_clip_generator.highlights.reasons import scaled, shorten

MOST_MERGED = 50

# What is called "both" for short, and was before there were other media.
BOTH = {"audio", "video"}

# A learned score may be exactly 1, whose odds are infinite.
NEARLY_CERTAIN = 1 - 1e-9


def merge(*media: Sequence[Highlight]) -> tuple[Highlight, ...]:
    """Highlights of the same moment, of several media, become one; best first, at most `MOST_MERGED`.

    The evidence of all counts as if it were at right angles, so agreement always scores higher than any alone; what a
    learned judge made of them is added as their mean, for two media do not make a moment liked twice as much. Each
    highlight is merged once, with the best moment that it fits.

    Args:
        media: a list of each, best first.
    """
    moments: list[_Moment] = []
    for found in media:
        free = list(found)
        for moment in sorted(moments, key=lambda moment: -moment.score):
            same = [one for one in free if moment.leader.event.same_moment(one.event)]
            if same:
                best = max(same, key=lambda one: one.score)
                free.remove(best)
                moment.parts.append(best)
        moments += [_Moment([one]) for one in free]
    ranked = sorted((moment.merged() for moment in moments), key=lambda one: (-one.score, one.event))
    return tuple(ranked[:MOST_MERGED])


@dataclass(slots=True)
class _Moment:
    """What several media found in one place, at most one highlight of each."""

    parts: list[Highlight]

    @property
    def score(self) -> float:
        if len(self.parts) == 1:
            return self.parts[0].score
        learned = np.mean([part.score - _heuristic(part) for part in self.parts])
        return float(np.clip(_any_of([_heuristic(part) for part in self.parts]) + learned, 0.0, 1.0))

    @property
    def leader(self) -> Highlight:
        """Whose event and clip are shown: the best of those that know the ends to the second, if there are any."""
        return max(self.parts, key=lambda part: (_exact(part), part.score))

    def merged(self) -> Highlight:
        if len(self.parts) == 1:
            return self.parts[0]
        score, leader = self.score, self.leader
        evidence = [_evidence(part.score) for part in self.parts]
        shares = [one / sum(evidence) if sum(evidence) > 0 else 1 / len(evidence) for one in evidence]
        reasons = [
            reason
            for part, share in zip(self.parts, shares, strict=True)
            if part.score
            for reason in scaled(part.reasons, share * score / part.score)
        ]
        learned = [part.ml_score for part in self.parts if not math.isnan(part.ml_score)]
        return Highlight(
            kind="both" if {part.kind for part in self.parts} == BOTH else "fused",
            score=score,
            peak_s=leader.peak_s,
            event=leader.event,
            clip=leader.clip,
            reasons=shorten(reasons),
            heuristic_score=_any_of([_heuristic(part) for part in self.parts]),
            ml_score=float(np.mean(learned)) if learned else math.nan,
        )


def _heuristic(part: Highlight) -> float:
    """The score before a learned judge changed it; all of it where none did."""
    return part.score if math.isnan(part.heuristic_score) else part.heuristic_score


def _exact(part: Highlight) -> bool:
    return next((about.exact for medium, about in ABOUT.items() if medium == part.kind), True)


def _evidence(score: float) -> float:
    """The square of the evidence that makes a score, in units of what makes one half, see `anchors`."""
    score = min(score, NEARLY_CERTAIN)
    return float((score / (1 - score)) ** (2 / ODDS_POWER))


def _any_of(scores: Sequence[float]) -> float:
    if len(scores) == 1:
        return scores[0]
    odds = sum(map(_evidence, scores)) ** (ODDS_POWER / 2)
    return float(odds / (1 + odds))
