"""Highlights of a stream: per medium, and both merged into one list."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from kick_clip_generator.core.clip_row import clip_row
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import Detection, Highlight, Span
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.highlights import clip_span
from kick_clip_generator.highlights.baseline import Array
from kick_clip_generator.highlights.events import Candidate, find_events
from kick_clip_generator.highlights.merge import merge
from kick_clip_generator.highlights.reasons import ratings_reason, reasons_for, scaled, shorten
from kick_clip_generator.highlights.scoring import Evidence, measure_evidence
from kick_clip_generator.highlights.signals import AUDIO_WEIGHTS, VIDEO_WEIGHTS, Medium, checked_weights

MOST_PER_KIND = 25

# Evidence (weighted σ over ten seconds) that makes a score of one half.
HALF_SCORE: Mapping[Medium, float] = {"audio": 2.5, "video": 3.75}

# Chance alone lets a steady stream score up to about this.
BARELY = 0.05

# A learned judge may lift a candidate that the heuristic ranks lower: it sees this many times as many as are asked for.
POOL = 3


@dataclass(frozen=True, slots=True)
class DetectionConfig:
    """What to look for.

    Attributes:
        min_gap_s: least distance between the peaks of two highlights of a kind.
        max_audio, max_video: at most this many of a kind, 0-25; 0 leaves a kind out.
        clip_duration_s: fixed length of clips; None: ends are chosen.
        min_clip_s, max_clip_s: limits of chosen clips.
        min_audio_score, min_video_score: highlights below are not shown.
        keep_best: when no moment of either kind reaches its minimum, give the best one that is more than chance.
        heuristic_weight, ml_weight: shares in the blend with a learned score.
        audio_weights, video_weights: evidence per σ of each signal, keyed `<feature>_mean`.

    Raises:
        InputError: when a value is out of range.
    """

    min_gap_s: float = 10.0
    max_audio: int = 10
    max_video: int = 10
    clip_duration_s: float | None = None
    min_clip_s: float = 5.0
    max_clip_s: float = 60.0
    min_audio_score: float = 0.2
    min_video_score: float = 0.2
    keep_best: bool = False
    heuristic_weight: float = 0.6
    ml_weight: float = 0.4
    audio_weights: Mapping[str, float] = field(default_factory=lambda: AUDIO_WEIGHTS)
    video_weights: Mapping[str, float] = field(default_factory=lambda: VIDEO_WEIGHTS)

    def __post_init__(self) -> None:
        for name in ("max_audio", "max_video"):
            if not 0 <= getattr(self, name) <= MOST_PER_KIND:
                raise InputError(f"{name} must be 0 to {MOST_PER_KIND}, got {getattr(self, name)}.")
        for name in ("min_gap_s", "min_audio_score", "min_video_score", "heuristic_weight", "ml_weight"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(f"{name} must be a finite number of at least 0, got {getattr(self, name)}.")
        if self.heuristic_weight + self.ml_weight <= 0:
            raise InputError("heuristic_weight and ml_weight must not both be 0.")
        if not 0 < self.min_clip_s <= self.max_clip_s < math.inf:
            raise InputError(f"Clips must be {self.min_clip_s} to {self.max_clip_s} s long, which no clip can be.")
        if self.clip_duration_s is not None and not 0 < self.clip_duration_s < math.inf:
            raise InputError(f"clip_duration_s must be a finite number above 0, got {self.clip_duration_s}.")
        checked_weights(self.audio_weights, "audio")
        checked_weights(self.video_weights, "video")


def detect(timeline: Timeline, config: DetectionConfig, scorer: Scorer | None = None) -> Detection:
    """Find the highlights of a stream.

    Args:
        timeline: features of the stream; a signal that is missing or all NaN is left out and the others share its
            weight.
        config: what to look for.
        scorer: a learned judge to blend in.

    Returns:
        Highlights per kind and merged, best first, with notes for the user.
    """
    heard = measure_evidence(timeline, config.audio_weights, "audio")
    seen = measure_evidence(timeline, config.video_weights, "video")
    if not heard.names and not seen.names:
        return Detection(notes=("Neither sound nor picture could be measured, so there are no highlights.",))
    audio, best_audio, audio_notes = _of_medium("audio", heard, timeline, config, scorer)
    video, best_video, video_notes = _of_medium("video", seen, timeline, config, scorer)
    notes = (*audio_notes, *video_notes)
    if config.keep_best and not audio and not video:
        best = max((*best_audio, *best_video), key=lambda highlight: highlight.score, default=None)
        if best is not None and best.score >= BARELY:
            audio, video = ((best,), ()) if best.kind == "audio" else ((), (best,))
            notes = (*notes, "The best moment is given all the same, for there is no other (KEEP_BEST).")
    return Detection(audio=audio, video=video, merged=merge(audio, video), notes=notes)


def _of_medium(
    medium: Medium, evidence: Evidence, timeline: Timeline, config: DetectionConfig, scorer: Scorer | None
) -> tuple[tuple[Highlight, ...], tuple[Highlight, ...], tuple[str, ...]]:
    """The highlights of one medium, best first; the best moment, whatever it scores; what to tell the user."""
    audio = medium == "audio"
    count = config.max_audio if audio else config.max_video
    if count == 0:
        return (), (), ()
    if not evidence.names:
        return (), (), (f"No {medium}: {'video' if audio else 'audio'} highlights only.",)
    candidates = find_events(evidence.parts, count=POOL * count, min_gap_s=config.min_gap_s)
    highlights = _judge(medium, candidates, evidence, timeline, config, scorer)
    threshold = config.min_audio_score if audio else config.min_video_score
    kept = tuple(highlight for highlight in highlights if highlight.score >= threshold)[:count]
    return kept, tuple(highlights[:1]), () if kept else (_nothing_found(medium, highlights, threshold),)


def _nothing_found(medium: Medium, highlights: list[Highlight], threshold: float) -> str:
    setting = f"MIN_{medium.upper()}_SCORE"
    if not highlights:
        return f"No {medium} highlight: no moment stands out of its surroundings, whatever {setting} is."
    best = highlights[0].score
    return (
        f"No {medium} highlight: the best moment scores {best:.3f}; {setting}={threshold:g} must be lower to let it in."
    )


def _judge(
    medium: Medium,
    candidates: list[Candidate],
    evidence: Evidence,
    timeline: Timeline,
    config: DetectionConfig,
    scorer: Scorer | None,
) -> list[Highlight]:
    """Candidates as highlights with score, reasons and clip, best first."""
    parts = evidence.parts.sum(axis=1)
    cuts = timeline.column("scene_cut").astype(np.float64)
    highlights = [_highlight(medium, candidate, evidence, parts, cuts, timeline, config) for candidate in candidates]
    if scorer is not None and highlights:
        learned = scorer.predict(medium, [clip_row(timeline, highlight.event) for highlight in highlights])
        if learned is not None:
            highlights = [
                _blended(highlight, float(value), config) for highlight, value in zip(highlights, learned, strict=True)
            ]
    return sorted(highlights, key=lambda highlight: (-highlight.score, highlight.event))


def _highlight(
    medium: Medium,
    candidate: Candidate,
    evidence: Evidence,
    excitement: Array,
    cuts: Array,
    timeline: Timeline,
    config: DetectionConfig,
) -> Highlight:
    # Odds are the square of the evidence: nothing scores 0, HALF_SCORE a half, and twice that 0.8, in every stream.
    odds = (candidate.response / HALF_SCORE[medium]) ** 2
    score = odds / (1 + odds)
    event = candidate.span(timeline.start_s)
    peak_s = timeline.start_s + (candidate.peak + 0.5) * TICK_S
    bounds = Span(timeline.start_s, timeline.end_s)
    if config.clip_duration_s is not None:
        clip = clip_span.fixed_clip(event, peak_s, config.clip_duration_s, bounds)
    else:
        clip = clip_span.chosen_clip(
            event,
            peak_s,
            excitement=excitement,
            cuts=cuts,
            bounds=bounds,
            min_s=config.min_clip_s,
            max_s=config.max_clip_s,
        )
    return Highlight(
        kind=medium,
        score=score,
        peak_s=peak_s,
        event=event,
        clip=clip,
        reasons=reasons_for(candidate, evidence, score),
        heuristic_score=score,
    )


def _blended(highlight: Highlight, learned: float, config: DetectionConfig) -> Highlight:
    if not math.isfinite(learned):
        return highlight
    learned = min(max(learned, 0.0), 1.0)
    total = config.heuristic_weight + config.ml_weight
    own, other = config.heuristic_weight / total, config.ml_weight / total * learned
    score = min(own * highlight.score + other, 1.0)
    reasons = (*scaled(highlight.reasons, own), ratings_reason(other, learned))
    return replace(highlight, score=score, reasons=shorten(reasons), ml_score=learned)
