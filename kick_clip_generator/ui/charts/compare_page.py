"""Both modes of the detection side by side, over one time axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.highlights.config import Mode
from kick_clip_generator.highlights.filters import Proposal
from kick_clip_generator.highlights.segmentation import Segmentation
from kick_clip_generator.ui.charts.chart import Scale, chart
from kick_clip_generator.ui.charts.marks import clips_lane, clips_table, moment, table
from kick_clip_generator.ui.charts.page import page
from kick_clip_generator.ui.charts.timeline_page import MODE_WORDS, excitement_lanes, legend, notes_list
from kick_clip_generator.ui.html import Html, joined, markup


def compare_page(title: str, timeline: Timeline, found: Mapping[Mode, Segmentation]) -> str:
    """A self-contained HTML file.

    Args:
        title: of the stream; from a stranger.
        timeline: what was measured.
        found: what each mode found in it.
    """
    scale = Scale.over(timeline.start_s, timeline.end_s)
    one, other = found["v2"], found["v1"]
    body = markup(
        "<main><h1><bdi>{title}</bdi></h1><p class=facts>{facts}</p>{legend}{chart}<h2>Overlap</h2>{overlaps}{sets}"
        "</main>",
        title=title,
        facts=f"{moment(Span(timeline.start_s, timeline.end_s))} · modes side by side",
        legend=legend(one, other),
        chart=chart(
            [
                *(clips_lane(f"Clips of {mode}", found[mode].clips, scale, prefix=mode) for mode in ("v2", "v1")),
                *excitement_lanes(one, scale),
            ],
            scale,
            label="The clips of both modes over time; the tables below say the same in words.",
        ),
        overlaps=_overlaps(one.clips, other.clips),
        sets=joined(_set(mode, found[mode]) for mode in ("v2", "v1")),
    )
    return page(f"{title} · v2 and v1", body)


def _set(mode: Mode, segmentation: Segmentation) -> Html:
    return markup(
        "<h2>{words}</h2>{notes}{clips}",
        words=f"Mode {MODE_WORDS[mode]}",
        notes=notes_list(segmentation.detection.notes),
        clips=clips_table(segmentation.clips, caption=f"Clips of {mode}, best first", prefix=mode),
    )


def _overlaps(one: Sequence[Proposal], other: Sequence[Proposal]) -> Html:
    """Each clip beside the one of the other mode that it shares most with."""
    rows = list(_pairs(one, other))
    shared = sum(1 for row in rows if row[0] and row[2])
    caption = f"{shared} of {len(one)} clips of v2 share something with one of the {len(other)} of v1"
    return table(caption, ("v2!", "Clip", "v1!", "Clip", "Shared!", "Temporal IoU!"), rows)


def _pairs(one: Sequence[Proposal], other: Sequence[Proposal]) -> Iterator[tuple[object, ...]]:
    matched: set[int] = set()
    for place, clip in enumerate(one, 1):
        span = clip.highlight.clip
        best = max(range(len(other)), key=lambda n: span.temporal_iou(other[n].highlight.clip), default=None)
        if best is None or not span.overlap_s(other[best].highlight.clip):
            yield _link("v2", place), moment(span), "", "–", "0.0 s", "0.00"
            continue
        matched.add(best)
        theirs = other[best].highlight.clip
        yield (
            _link("v2", place),
            moment(span),
            _link("v1", best + 1),
            moment(theirs),
            f"{span.overlap_s(theirs):.1f} s",
            f"{span.temporal_iou(theirs):.2f}",
        )
    for n, clip in enumerate(other):
        if n not in matched:
            yield "", "–", _link("v1", n + 1), moment(clip.highlight.clip), "", ""


def _link(mode: Mode, place: int) -> Html:
    return markup('<a href="#{mode}-{place}">{place}</a>', mode=mode, place=place)
