"""Anchors: the moments of each medium that stand out most, each with its score, its kind and what it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.records import Reason, Span
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.highlights.baseline import Array
from kick_clip_generator.highlights.config import DetectionConfig
from kick_clip_generator.highlights.events import Candidate, find_events
from kick_clip_generator.highlights.reasons import reasons_for
from kick_clip_generator.highlights.scoring import Evidence
from kick_clip_generator.highlights.signals import Medium

# Evidence (weighted σ over ten seconds) that makes a score of one half.
HALF_SCORE: Mapping[Medium, float] = {"audio": 3.2, "video": 4.8}

# How the odds of a highlight grow with its evidence. Both are such that a score is about the share of highlights with
# that score that were right on the development streams, rounded towards caution (docs/decisions/0015).
ODDS_POWER = 4.0

# From here on a change of the picture is a cut; so many in an event are a sequence of them.
CUT_STRENGTH = 0.5
CUTS_OF_A_SEQUENCE = 2


@dataclass(frozen=True, slots=True)
class Anchor:
    """A moment to build a clip around.

    Attributes:
        medium: whose evidence found it.
        peak_s: the strongest instant.
        event: the stretch that stands out.
        score: 0-1, comparable between streams.
        reasons: what each signal gave to the score; they add up to it.
        reason: what kind of moment it is, in words.
    """

    medium: Medium
    peak_s: float
    event: Span
    score: float
    reasons: tuple[Reason, ...]
    reason: str


def find_anchors(medium: Medium, evidence: Evidence, timeline: Timeline, config: DetectionConfig) -> list[Anchor]:
    """The anchors of one medium, best first, at most half of `target_clip_count_soft`.

    Args:
        medium: "audio" or "video".
        evidence: what speaks for a highlight of it, see `scoring`.
        timeline: features of the stream, for what is said about an anchor.
        config: how near to each other they may be, and how many.
    """
    candidates = find_events(
        evidence.parts,
        count=math.ceil(config.v2.target_clip_count_soft / len(HALF_SCORE)),
        min_gap_s=config.v2.anchor_suppression_window_sec,
    )
    return anchors_of(medium, candidates, evidence, timeline)


def anchors_of(medium: Medium, candidates: Sequence[Candidate], evidence: Evidence, timeline: Timeline) -> list[Anchor]:
    """Candidates with their scores and what is said about them, in the same order.

    Args:
        medium: "audio" or "video".
        candidates: stretches of `evidence`.
        evidence: over the timeline.
        timeline: features of the stream.
    """
    cuts = timeline.column("scene_cut") >= CUT_STRENGTH
    return [_anchor(medium, candidate, evidence, timeline, cuts) for candidate in candidates]


def _anchor(
    medium: Medium, candidate: Candidate, evidence: Evidence, timeline: Timeline, cuts: NDArray[np.bool_]
) -> Anchor:
    # Nothing scores 0, and HALF_SCORE a half, in every stream.
    odds = (candidate.response / HALF_SCORE[medium]) ** ODDS_POWER
    score = odds / (1 + odds)
    reasons = reasons_for(candidate, evidence, score)
    strongest = max(reasons, key=lambda reason: reason.contribution).text
    number = int(cuts[candidate.first : candidate.stop].sum())
    if medium == "audio":
        reason = f"audio peak: {strongest}"
    elif number >= CUTS_OF_A_SEQUENCE:
        reason = f"action sequence with {number} cuts: {strongest}"
    else:
        reason = f"action: {strongest}"
    return Anchor(
        medium=medium,
        peak_s=timeline.start_s + (candidate.peak + 0.5) * TICK_S,
        event=candidate.span(timeline.start_s),
        score=score,
        reasons=reasons,
        reason=reason,
    )


def excitement_of(evidence: Mapping[Medium, Evidence], ticks: int) -> dict[str, Array]:
    """Excitement per tick of each medium, and of all of them ("fused"), in units of what scores one half.

    Args:
        evidence: by medium; one without signals is left out.
        ticks: length of the stream.
    """
    known: dict[str, Array] = {
        medium: found.parts.sum(axis=1) / HALF_SCORE[medium] for medium, found in evidence.items() if found.names
    }
    fused = sum((np.maximum(curve, 0.0) for curve in known.values()), np.zeros(ticks))
    return {**known, "fused": fused}
