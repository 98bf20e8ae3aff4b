"""One list of both media, one highlight per moment."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kick_clip_generator.core.records import Highlight
from kick_clip_generator.highlights.anchors import ODDS_POWER
from kick_clip_generator.highlights.reasons import scaled, shorten

MOST_MERGED = 50

# A learned score may be exactly 1, whose odds are infinite.
NEARLY_CERTAIN = 1 - 1e-9


def merge(audio: Sequence[Highlight], video: Sequence[Highlight]) -> tuple[Highlight, ...]:
    """Audio and video highlights of the same moment become one of kind "both"; best first, at most `MOST_MERGED`.

    The evidence of both counts as if it were at right angles, so agreement always scores higher than either alone.
    """
    free = list(video)
    merged: list[Highlight] = []
    for heard in audio:
        same = [seen for seen in free if heard.event.same_moment(seen.event)]
        if same:
            seen = max(same, key=lambda seen: seen.score)
            free.remove(seen)
            merged.append(_both(heard, seen))
        else:
            merged.append(heard)
    ranked = sorted([*merged, *free], key=lambda highlight: (-highlight.score, highlight.event))
    return tuple(ranked[:MOST_MERGED])


def _both(heard: Highlight, seen: Highlight) -> Highlight:
    stronger = heard if heard.score >= seen.score else seen
    score = _either(heard.score, seen.score)
    weight = _evidence(heard.score) + _evidence(seen.score)
    share = _evidence(heard.score) / weight if weight > 0 else 0.5
    reasons = (
        *(scaled(heard.reasons, share * score / heard.score) if heard.score else ()),
        *(scaled(seen.reasons, (1 - share) * score / seen.score) if seen.score else ()),
    )
    learned = [part.ml_score for part in (heard, seen) if not math.isnan(part.ml_score)]
    return Highlight(
        kind="both",
        score=score,
        peak_s=stronger.peak_s,
        event=stronger.event,
        clip=stronger.clip,
        reasons=shorten(reasons),
        heuristic_score=_either(heard.heuristic_score, seen.heuristic_score),
        ml_score=float(np.mean(learned)) if learned else math.nan,
    )


def _evidence(score: float) -> float:
    """The square of the evidence that makes a score, in units of what makes one half, see `anchors`."""
    score = min(score, NEARLY_CERTAIN)
    return float((score / (1 - score)) ** (2 / ODDS_POWER))


def _either(one: float, other: float) -> float:
    odds = (_evidence(one) + _evidence(other)) ** (ODDS_POWER / 2)
    return float(odds / (1 + odds))
