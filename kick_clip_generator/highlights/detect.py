"""Highlights of a stream: per medium, and all merged into one list."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from kick_clip_generator.core.clip_row import highlight_row
from kick_clip_generator.core.protocols import Scorer
from kick_clip_generator.core.records import Detection, Highlight, Span
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.highlights import filters
from kick_clip_generator.highlights.anchors import Anchor, anchors_of, excitement_of, find_anchors
from kick_clip_generator.highlights.baseline import Array
from kick_clip_generator.highlights.boundaries import Boundaries, score_boundaries
from kick_clip_generator.highlights.clip_window import ClipWindow, chosen_window, fixed_window
from kick_clip_generator.highlights.config import MOST_PER_KIND, DetectionConfig
from kick_clip_generator.highlights.events import events_at
from kick_clip_generator.highlights.filters import Decision, Proposal
from kick_clip_generator.highlights.media import ABOUT, MEDIA, Medium
from kick_clip_generator.highlights.merge import merge
from kick_clip_generator.highlights.near_duplicates import Appearance
from kick_clip_generator.highlights.quality import Quality, measure_quality
from kick_clip_generator.highlights.reasons import ratings_reason, shorten
from kick_clip_generator.highlights.scenes import find_scenes
from kick_clip_generator.highlights.scoring import Evidence, measure_evidence
from kick_clip_generator.highlights.segmentation import Segmentation

__all__ = ["MOST_PER_KIND", "DetectionConfig", "detect", "segment"]

# Less than this is rounding.
BARELY = 0.002


def detect(timeline: Timeline, config: DetectionConfig, scorer: Scorer | None = None) -> Detection:
    """The highlights of a stream, see `segment`."""
    return segment(timeline, config, scorer).detection


def segment(timeline: Timeline, config: DetectionConfig, scorer: Scorer | None = None) -> Segmentation:
    """Find the highlights of a stream, and keep how they were found.

    Anchors of each medium, a clip around each (its scene, in mode v1), its quality, a learned score where there is a
    judge; then the filters, per kind and on the list of all.

    Args:
        timeline: features of the stream; a signal that is missing or all NaN is left out and the others share its
            weight.
        config: what to look for.
        scorer: a learned judge to blend in.

    Returns:
        Highlights per kind and merged, best first, with notes for the user; and the steps that led to them.
    """
    evidence = {medium: measure_evidence(timeline, config.weights(medium), medium) for medium in MEDIA}
    if not any(found.names for found in evidence.values()):
        note = "Neither sound nor picture could be measured, so there are no highlights."
        return Segmentation(config, Detection(notes=(note,)))
    excitement = excitement_of(evidence, len(timeline))
    boundaries = score_boundaries(timeline, config.v2)
    run = _Run(timeline, config, scorer, evidence, excitement, boundaries)
    unique = run.shown_once([one for medium in MEDIA for one in run.candidates(medium)])
    shown = {medium: run.chosen(medium, [one for one in unique if one.highlight.kind == medium]) for medium in MEDIA}
    notes = list(run.notes)
    best = max(run.proposals, key=lambda proposal: proposal.highlight.score, default=None)
    if config.keep_best and best is not None and not any(shown.values()) and best.highlight.score >= BARELY:
        shown = {medium: [best] if medium == best.highlight.kind else [] for medium in MEDIA}
        run.decisions.append(Decision("keep_best", best.index, True, "the best there is"))
        notes.append("The best moment is given all the same, for there is no other (KEEP_BEST).")
    found = {medium: tuple(proposal.highlight for proposal in shown[medium]) for medium in MEDIA}
    clips = run.merged(found)
    return Segmentation(
        config=config,
        detection=Detection(**found, merged=tuple(clip.highlight for clip in clips), notes=tuple(notes)),
        excitement=excitement,
        boundaries=boundaries,
        anchors=sorted(run.anchors, key=lambda anchor: (-anchor.score, anchor.event)),
        proposals=run.proposals,
        decisions=run.decisions,
        clips=clips,
    )


class _Run:
    """What the stages of one detection share."""

    def __init__(
        self,
        timeline: Timeline,
        config: DetectionConfig,
        scorer: Scorer | None,
        evidence: Mapping[Medium, Evidence],
        excitement: Mapping[str, Array],
        boundaries: Boundaries,
    ) -> None:
        self.anchors: list[Anchor] = []
        self.proposals: list[Proposal] = []
        self.decisions: list[Decision] = []
        self.notes: list[str] = []
        self._timeline = timeline
        self._config = config
        self._scorer = scorer
        self._evidence = evidence
        self._excitement = excitement
        self._boundaries = boundaries
        self._bounds = Span(timeline.start_s, timeline.end_s)
        self._appearance = Appearance(timeline)
        known = [medium for medium, found in evidence.items() if found.names]
        # Two media are there as a rule; others do not take the place of theirs until they are known.
        self._count = math.ceil(config.v2.target_clip_count_soft / max(len(known), 2))

    def candidates(self, medium: Medium) -> list[Proposal]:
        """What one medium has to offer, best first."""
        if self._config.most(medium) == 0:
            return []
        if not self._evidence[medium].names:
            self.notes += self._not_known(medium)
            return []
        anchors = self._anchors(medium, self._evidence[medium])
        self.anchors += anchors
        proposals = self._proposals(medium, anchors)
        self.proposals += proposals
        least = self._config.least(medium)
        kept = self._note(filters.above_score(proposals, least, _setting(medium)))
        kept = self._note(filters.not_boring(kept, self._config.v2))
        kept = self._note(filters.spaced(kept, self._config.min_gap_s))
        if not kept:
            self.notes.append(_nothing_found(medium, proposals, least))
        return kept

    def _not_known(self, medium: Medium) -> list[str]:
        """What to say of a medium of which nothing is known: nothing, where most streams are without it."""
        missing = ABOUT[medium].missing
        if missing is None:
            others = " and ".join(other for other, found in self._evidence.items() if found.names)
            return [f"No {medium}: {others} highlights only."]
        alone = all(self._config.most(other) == 0 for other in MEDIA if other != medium)
        return [missing] if alone else []

    def shown_once(self, proposals: Sequence[Proposal]) -> list[Proposal]:
        """Those of all media that are no replay of a better one."""
        ranked = sorted(proposals, key=lambda one: (-one.highlight.score, one.highlight.event))
        return self._note(filters.not_shown_twice(ranked, self._appearance, self._config.v2))

    def chosen(self, medium: Medium, proposals: Sequence[Proposal]) -> list[Proposal]:
        """As many of a medium as are asked for."""
        return self._note(filters.capped(proposals, self._config.most(medium)))

    def merged(self, found: Mapping[Medium, Sequence[Highlight]]) -> list[Proposal]:
        """One clip per moment, best first, none of which shows much of a better one."""
        merged = merge(*found.values())
        moments = [replace(self._proposal_of(highlight), highlight=highlight) for highlight in merged]
        return self._note(filters.not_overlapping(moments, self._config.v2))

    def _proposal_of(self, merged: Highlight) -> Proposal:
        """Whose event and clip a merged highlight took over; several media may have found the very same."""
        same = [
            one
            for one in self.proposals
            if (one.highlight.event, one.highlight.peak_s) == (merged.event, merged.peak_s)
        ]
        return min(same, key=lambda one: (one.highlight.kind != merged.kind, -one.highlight.score))

    def _anchors(self, medium: Medium, evidence: Evidence) -> list[Anchor]:
        if self._config.mode == "v2":
            return find_anchors(medium, evidence, self._timeline, self._config, count=self._count)
        scenes = events_at(evidence.parts, find_scenes(self._timeline, self._config.v1))
        return anchors_of(medium, scenes, evidence, self._timeline)

    def _proposals(self, medium: Medium, anchors: Sequence[Anchor]) -> list[Proposal]:
        """A clip for each anchor, best first."""
        clips: list[tuple[Highlight, Quality]] = []
        for anchor in anchors:
            window = self._window(medium, anchor)
            highlight = Highlight(
                kind=medium,
                score=anchor.score,
                peak_s=anchor.peak_s,
                event=anchor.event,
                clip=window.span,
                reasons=anchor.reasons,
                heuristic_score=anchor.score,
            )
            quality = measure_quality(
                highlight,
                window,
                excitement=self._excitement["fused"],
                bounds=self._bounds,
                config=self._config.v2,
            )
            clips.append((highlight, quality))
        clips = self._judged(medium, clips)
        ranked = sorted(clips, key=lambda clip: (-clip[0].score, clip[0].event))
        numbers = itertools.count(len(self.proposals))
        return [Proposal(next(numbers), highlight, quality) for highlight, quality in ranked]

    def _window(self, medium: Medium, anchor: Anchor) -> ClipWindow:
        config = self._config
        if config.clip_duration_s is not None:
            return fixed_window(anchor.event, anchor.peak_s, config.clip_duration_s, self._bounds, self._boundaries)
        if config.mode == "v1":
            length_s = min(max(anchor.event.duration_s, config.min_clip_s), config.max_clip_s)
            return fixed_window(anchor.event, anchor.peak_s, length_s, self._bounds, self._boundaries)
        return chosen_window(
            anchor.event,
            anchor.peak_s,
            excitement=self._excitement[medium],
            boundaries=self._boundaries,
            bounds=self._bounds,
            min_s=config.min_clip_s,
            max_s=config.max_clip_s,
            config=config.v2,
        )

    def _judged(self, medium: Medium, clips: list[tuple[Highlight, Quality]]) -> list[tuple[Highlight, Quality]]:
        if self._scorer is None or not clips:
            return clips
        learned = self._scorer.predict(medium, [highlight_row(self._timeline, clip) for clip, _ in clips])
        if learned is None:
            return clips
        # Judges of users need not say what their evidence is worth.
        says = getattr(self._scorer, "share", None)
        share = self._config.learned_share(None if says is None else says(medium))
        return [
            (_blended(clip, float(value), share), quality)
            for (clip, quality), value in zip(clips, learned, strict=True)
        ]

    def _note(self, filtered: filters.Filtered) -> list[Proposal]:
        kept, decisions = filtered
        self.decisions += decisions
        return kept


def _setting(medium: Medium) -> str:
    return f"MIN_{medium.upper()}_SCORE"


def _nothing_found(medium: Medium, proposals: Sequence[Proposal], least: float) -> str:
    setting = _setting(medium)
    if not proposals:
        return f"No {medium} highlight: no moment stands out of its surroundings, whatever {setting} is."
    best = proposals[0].highlight.score
    if best >= least:
        return f"No {medium} highlight: the best moment scores {best:.3f}, but little happens in its clip."
    return f"No {medium} highlight: the best moment scores {best:.3f}; {setting}={least:g} must be lower to let it in."


def _blended(highlight: Highlight, learned: float, share: float) -> Highlight:
    if not math.isfinite(learned):
        return highlight
    learned = float(np.clip(learned, 0.0, 1.0))
    score = float(np.clip(highlight.score + share * (learned - highlight.score), 0.0, 1.0))
    reasons = (*highlight.reasons, ratings_reason(score - highlight.score, learned))
    return replace(highlight, score=score, reasons=shorten(reasons), ml_score=learned)
