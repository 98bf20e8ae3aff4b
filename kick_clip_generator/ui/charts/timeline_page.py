"""How the highlights of a stream were found, on one page: signals, anchors, boundaries, clips."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S, Timeline, clock
from kick_clip_generator.highlights.config import Mode
from kick_clip_generator.highlights.segmentation import Segmentation
from kick_clip_generator.ui.charts.chart import Lane, Scale, bars_lane, chart, curve_lane
from kick_clip_generator.ui.charts.marks import (
    anchors_lane,
    clips_lane,
    clips_table,
    moment,
    table,
    windows_lane,
)
from kick_clip_generator.ui.charts.page import page
from kick_clip_generator.ui.html import Html, joined, markup
from kick_clip_generator.ui.tiles import KINDS

MODE_WORDS: Mapping[Mode, str] = {"v2": "v2, highlight-aware", "v1": "v1, scene-based"}

USUAL_KINDS = ("audio", "video", "both")

# (name in the timeline, words, unit, color, whether 0 is the bottom)
SIGNAL_LANES = (
    ("rms_db", "Loudness", "dB", "audio", False),
    ("motion", "Motion", "", "video", True),
    ("scene_strength", "Cuts", "", "video", True),
)
# Those that not every stream has.
MORE_LANES = (
    ("voice_activity", "Voices", "", "speech", True),
    ("speech_rate", "Words", "1/s", "speech", True),
    ("speech_hype", "Hype words", "1/s", "speech", True),
    ("chat_rate", "Chat", "lines/s", "chat", True),
    ("chat_voices", "Chat, without copies", "", "chat", True),
)
EXCITEMENT_WORDS = {
    "fused": "Excitement, all",
    "audio": "of the sound",
    "video": "of the picture",
    "speech": "of what is said",
    "chat": "of the chat",
}


def timeline_page(title: str, timeline: Timeline, segmentation: Segmentation) -> str:
    """A self-contained HTML file.

    Args:
        title: of the stream; from a stranger.
        timeline: what was measured.
        segmentation: what was found in it.
    """
    scale = Scale.over(timeline.start_s, timeline.end_s)
    clips = segmentation.clips
    lanes = [
        clips_lane("Clips", clips, scale, prefix="clip"),
        windows_lane(segmentation.proposals, segmentation.dropped, scale),
        anchors_lane(segmentation.anchors, scale),
        *excitement_lanes(segmentation, scale),
        *(
            curve_lane(words, timeline.column(name), scale, kind=kind, unit=unit, base=base)
            for name, words, unit, kind, base in _signal_lanes(timeline)
        ),
        _boundaries_lane(segmentation, scale),
    ]
    body = markup(
        "<main><h1><bdi>{title}</bdi></h1><p class=facts>{facts}</p>{notes}{legend}{chart}<h2>Clips</h2>{clips}"
        "{anchors}{dropped}</main>",
        title=title,
        facts=f"{moment(Span(timeline.start_s, timeline.end_s))} · mode {MODE_WORDS[segmentation.config.mode]} · "
        f"{len(clips)} of {len(segmentation.proposals)} clips kept",
        notes=notes_list(segmentation.detection.notes),
        legend=legend(segmentation),
        chart=chart(
            lanes,
            scale,
            label="Signals, anchors, boundaries and clips over time; the tables below say the same in words.",
            bands=[(clip.highlight.clip, clip.highlight.kind) for clip in clips],
        ),
        clips=clips_table(clips, caption="Best first; contributions add up to the score", prefix="clip"),
        anchors=_anchors_table(segmentation),
        dropped=_dropped_table(segmentation),
    )
    return page(f"{title} · highlights {segmentation.config.mode}", body)


def _signal_lanes(timeline: Timeline) -> tuple[tuple[str, str, str, str, bool], ...]:
    return SIGNAL_LANES + tuple(lane for lane in MORE_LANES if np.isfinite(timeline.column(lane[0])).any())


def excitement_lanes(segmentation: Segmentation, scale: Scale) -> list[Lane]:
    """The curves that highlights are peaks of, as far as there are any."""
    colors = {"fused": "both"}
    return [
        curve_lane(words, segmentation.excitement[name], scale, kind=colors.get(name, name), base=True)
        for name, words in EXCITEMENT_WORDS.items()
        if name in segmentation.excitement
    ]


def notes_list(notes: tuple[str, ...]) -> Html:
    """Sentences for the user."""
    if not notes:
        return Html("")
    return markup("<ul class=notes>{items}</ul>", items=joined(markup("<li>{note}</li>", note=note) for note in notes))


def legend(*found: Segmentation) -> Html:
    """What the colors mean: those of sound and picture, and of what else was found."""
    there = {clip.highlight.kind for one in found for clip in one.clips}
    there |= {anchor.medium for one in found for anchor in one.anchors}
    return markup(
        "<ul class=legend>{items}</ul>",
        items=joined(
            markup(
                '<li><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="{kind}" width="12" height="12" rx="2"/>'
                "</svg>{words}</li>",
                kind=kind,
                words=words,
            )
            for kind, words in KINDS.items()
            if kind in there or kind in USUAL_KINDS
        ),
    )


def _boundaries_lane(segmentation: Segmentation, scale: Scale) -> Lane:
    if segmentation.boundaries is None:
        return bars_lane("Boundaries", (), (), scale, detail="not known")
    ticks = segmentation.boundaries.candidates(segmentation.config.v2.boundary_min_score)
    return bars_lane(
        "Boundaries",
        [scale.start_s + tick * TICK_S for tick in ticks],
        segmentation.boundaries.scores[ticks].tolist(),
        scale,
        detail=f"{len(ticks)}, by score",
    )


def _anchors_table(segmentation: Segmentation) -> Html:
    if not segmentation.anchors:
        return Html("")
    rows = (
        (clock(anchor.peak_s), f"{anchor.score:.3f}", KINDS[anchor.medium], moment(anchor.event), anchor.reason)
        for anchor in segmentation.anchors
    )
    return markup(
        "<details><summary>All {count} anchors</summary>{table}</details>",
        count=len(segmentation.anchors),
        table=table("Moments that stand out, best first", ("Time", "Score!", "Kind", "Moment", "What it is"), rows),
    )


def _dropped_table(segmentation: Segmentation) -> Html:
    by_index = {proposal.index: proposal for proposal in segmentation.proposals}
    dropped = list(segmentation.dropped.values())
    if not dropped:
        return Html("")
    rows = (
        (
            decision.clip_index,
            f"{by_index[decision.clip_index].highlight.score:.3f}",
            moment(by_index[decision.clip_index].highlight.clip),
            KINDS[by_index[decision.clip_index].highlight.kind],
            decision.stage.replace("_", " "),
            decision.reason,
        )
        for decision in dropped
    )
    return markup(
        "<details><summary>What was left out, and why ({count})</summary>{table}</details>",
        count=len(dropped),
        table=table("Decisions of the filters", ("Clip!", "Score!", "Clip from – to", "Kind", "Filter", "Why"), rows),
    )
