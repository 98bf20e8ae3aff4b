"""Anchors: the moments of each medium that stand out most, each with its score, its kind and what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.records import Reason, Span
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.highlights.baseline import Array
from kick_clip_generator.highlights.config import DetectionConfig
from kick_clip_generator.highlights.events import Candidate, find_events
from kick_clip_generator.highlights.media import ABOUT, USUAL, Medium
from kick_clip_generator.highlights.reasons import reasons_for
from kick_clip_generator.highlights.scoring import Evidence

# How the odds of a highlight grow with its evidence.
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


def find_anchors(
    medium: Medium, evidence: Evidence, timeline: Timeline, config: DetectionConfig, *, count: int
) -> list[Anchor]:
    """The anchors of one medium, best first, at most `count`.

    Args:
        medium: whose evidence it is.
        evidence: what speaks for a highlight of it, see `scoring`.
        timeline: features of the stream, for what is said about an anchor.
        config: how near to each other they may be.
        count: how many at most.
    """
    candidates = find_events(evidence.parts, count=count, min_gap_s=config.v2.anchor_suppression_window_sec)
    return anchors_of(medium, candidates, evidence, timeline)


def anchors_of(medium: Medium, candidates: Sequence[Candidate], evidence: Evidence, timeline: Timeline) -> list[Anchor]:
    """Candidates with their scores and what is said about them, in the same order.

    Args:
        medium: whose evidence it is.
        candidates: stretches of `evidence`.
        evidence: over the timeline.
        timeline: features of the stream.
    """
    cuts = timeline.column("scene_cut") >= CUT_STRENGTH
    return [_anchor(medium, candidate, evidence, timeline, cuts) for candidate in candidates]


def _anchor(
    medium: Medium, candidate: Candidate, evidence: Evidence, timeline: Timeline, cuts: NDArray[np.bool_]
) -> Anchor:
    # Nothing scores 0, and the medium's `half_score` a half, in every stream.
    about = ABOUT[medium]
    odds = (candidate.response / about.half_score) ** ODDS_POWER
    score = odds / (1 + odds)
    reasons = reasons_for(candidate, evidence, timeline, score)
    strongest = max(reasons, key=lambda reason: reason.contribution).text
    number = int(cuts[candidate.first : candidate.stop].sum())
    found = about.found
    if about.sequence is not None and number >= CUTS_OF_A_SEQUENCE:
        found = f"{about.sequence} with {number} cuts"
    return Anchor(
        medium=medium,
        peak_s=timeline.start_s + (candidate.peak + 0.5) * TICK_S,
        event=candidate.span(timeline.start_s),
        score=score,
        reasons=reasons,
        reason=f"{found}: {strongest}",
    )


def excitement_of(evidence: Mapping[Medium, Evidence], ticks: int) -> dict[str, Array]:
    """Excitement per tick of each medium, and of all of them ("fused"), in units of what scores one half.

    Where a medium is not known, the others take over its share of "fused".

    Args:
        evidence: by medium; one without signals is left out.
        ticks: length of the stream.
    """
    curves: dict[str, Array] = {}
    total, share = np.zeros(ticks), np.zeros(ticks)
    for medium, found in evidence.items():
        if found.names:
            about = ABOUT[medium]
            curve = curves[medium] = found.parts.sum(axis=1) / about.half_score
            total += about.excitement * np.maximum(curve, 0.0)
            share += about.excitement * found.known
    return {**curves, "fused": np.divide(USUAL * total, share, out=np.zeros(ticks), where=share > 0)}
