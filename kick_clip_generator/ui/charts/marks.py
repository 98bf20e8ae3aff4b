"""Anchors and clips as marks on a chart, each with what there is to say about it, and clips as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kick_clip_generator.core.kinds import MEDIA, Medium
from kick_clip_generator.core.records import Highlight, Reason, Span
from kick_clip_generator.core.timeline import clock
from kick_clip_generator.highlights.anchors import Anchor
from kick_clip_generator.highlights.filters import Decision, Proposal
from kick_clip_generator.ui.charts.chart import Lane, Scale
from kick_clip_generator.ui.html import Html, joined, markup
from kick_clip_generator.ui.tiles import KINDS

ROW_PX = 18
ANCHORS_PX = 44
MARK_PX = 5.0
# What two digits take, and two lines beside the lane.
RANK_PX = 20.0
LEAST_PX = 40


def moment(span: Span) -> str:
    """A span for people."""
    return f"{clock(span.start_s)}–{clock(span.end_s)}"


def why(reasons: Sequence[Reason]) -> str:
    """What each signal gave to a score."""
    return "\n".join(f"{_signed(reason.contribution)}  {reason.text}" for reason in reasons)


def anchors_lane(anchors: Sequence[Anchor], scale: Scale) -> Lane:
    """Sound points up, everything else down; the higher the better."""
    shapes = []
    for anchor in sorted(anchors, key=lambda anchor: anchor.score):
        x = scale.x(anchor.peak_s)
        y = (1 - anchor.score) * (ANCHORS_PX - 3 * MARK_PX) + 1.5 * MARK_PX
        tip, foot = (y - MARK_PX, y + MARK_PX) if anchor.medium == "audio" else (y + MARK_PX, y - MARK_PX)
        shapes.append(
            markup(
                '<path class="{kind}" data-tip="{words}" d="M{x},{tip}L{left},{foot}H{right}Z"/>',
                kind=anchor.medium,
                words=f"Anchor at {clock(anchor.peak_s)}, score {anchor.score:.3f}\n{anchor.reason}\n"
                f"{why(anchor.reasons)}",
                x=f"{x:.1f}",
                tip=f"{tip:.1f}",
                foot=f"{foot:.1f}",
                left=f"{x - MARK_PX:.1f}",
                right=f"{x + MARK_PX:.1f}",
            )
        )
    return Lane("Anchors", ANCHORS_PX, joined(shapes), f"{len(anchors)}, by score")


def windows_lane(proposals: Sequence[Proposal], dropped: Mapping[int, Decision], scale: Scale) -> Lane:
    """Every clip before the filters, a row for each medium; dashed where one was dropped."""
    rows = [medium for medium in MEDIA if medium in ("audio", "video") or any(_is(one, medium) for one in proposals)]
    shapes = []
    for proposal in reversed(proposals):
        shown = proposal.highlight
        left, width = scale.box(shown.clip)
        decision = dropped.get(proposal.index)
        fate = f"dropped by {decision.stage}: {decision.reason}" if decision else "kept by every filter"
        shapes.append(
            markup(
                '<rect class="span {kind}{dropped}" data-tip="{words}" x="{x}" y="{y}" width="{width}"'
                ' height="{height}" rx="2"/>',
                kind=shown.kind,
                dropped=" dropped" if decision else "",
                words=f"Clip {proposal.index}, {moment(shown.clip)}, score {shown.score:.3f}\n{fate}",
                x=f"{left:.1f}",
                y=3 + (ROW_PX + 2) * next((row for row, medium in enumerate(rows) if _is(proposal, medium)), 0),
                width=f"{width:.1f}",
                height=ROW_PX - 2,
            )
        )
    return Lane("Before the filters", len(rows) * (ROW_PX + 2) + 2, joined(shapes), f"{len(proposals)} clips")


def _is(proposal: Proposal, medium: Medium) -> bool:
    return proposal.highlight.kind == medium


def clips_lane(name: str, clips: Sequence[Proposal], scale: Scale, *, prefix: str) -> Lane:
    """The clips that are shown, with their rank; the moment itself is solid. Each leads to its row of the table.

    Args:
        prefix: tells the clips of one list from those of another on the same page.
    """
    ends: list[float] = []
    shapes = []
    for place, clip in sorted(enumerate(clips, 1), key=lambda ranked: ranked[1].highlight.clip):
        shown = clip.highlight
        left, width = scale.box(shown.clip)
        row = next((n for n, end in enumerate(ends) if end <= left), len(ends))
        ends[row : row + 1] = [left + max(width, RANK_PX)]
        event_left, event_width = scale.box(shown.event)
        shapes.append(
            markup(
                '<a id="{prefix}-mark-{place}" href="#{prefix}-{place}" data-tip="{words}" aria-label="{words}">'
                '<rect class="span {kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="2"/>'
                '<rect class="event {kind}" x="{event_x}" y="{event_y}" width="{event_width}" height="5"/>'
                '<text class="rank" x="{text}" y="{text_y}">{place}</text></a>',
                prefix=prefix,
                place=place,
                words=f"{place}. {moment(shown.clip)}, score {shown.score:.3f}, {KINDS[shown.kind].lower()}\n"
                f"{why(shown.reasons)}",
                kind=shown.kind,
                x=f"{left:.1f}",
                y=row * (ROW_PX + 8) + 3,
                width=f"{width:.1f}",
                height=ROW_PX + 4,
                event_x=f"{event_left:.1f}",
                event_y=row * (ROW_PX + 8) + ROW_PX + 2,
                event_width=f"{event_width:.1f}",
                text=f"{left + 3:.1f}",
                text_y=row * (ROW_PX + 8) + 15,
            )
        )
    return Lane(name, max(len(ends) * (ROW_PX + 8) + 3, LEAST_PX), joined(shapes), f"{len(clips)}, best is 1")


def clips_table(clips: Sequence[Proposal], *, caption: str, prefix: str) -> Html:
    """The clips best first, with the whole of their reasons and what their quality is made of."""
    if not clips:
        return markup("<p>None was found.</p>")
    return table(
        caption,
        ("#!", "Score!", "Clip", "Moment", "Kind", "Quality!", "Why"),
        (
            (
                markup('<a href="#{prefix}-mark-{place}">{place}</a>', prefix=prefix, place=place),
                f"{clip.highlight.score:.3f}",
                f"{moment(clip.highlight.clip)} ({clip.highlight.clip.duration_s:.1f} s)",
                f"{moment(clip.highlight.event)}, peak {clock(clip.highlight.peak_s)}",
                KINDS[clip.highlight.kind],
                f"{clip.quality.total:.3f}" if clip.quality else "–",
                _why_in_a_row(clip.highlight),
            )
            for place, clip in enumerate(clips, 1)
        ),
        prefix=prefix,
    )


def _why_in_a_row(highlight: Highlight) -> str:
    return "; ".join(f"{reason.text} ({_signed(reason.contribution)})" for reason in highlight.reasons)


def _signed(contribution: float) -> str:
    return f"{contribution:+.3f}".replace("-", "−")


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, prefix: str = "") -> Html:
    """A table; columns whose name ends in "!" hold numbers.

    Args:
        prefix: rows get the ids `<prefix>-1`, …; empty for none.
    """
    classes = [' class="number"' if column.endswith("!") else "" for column in columns]
    return markup(
        '<div class="wide"><table><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
        "<tbody>{body}</tbody></table></div>",
        caption=caption,
        head=joined(
            markup('<th scope="col"{kind}>{name}</th>', kind=Html(kind), name=column.removesuffix("!"))
            for column, kind in zip(columns, classes, strict=True)
        ),
        body=joined(
            markup(
                "<tr{id}>{cells}</tr>",
                id=markup(' id="{prefix}-{place}"', prefix=prefix, place=place) if prefix else Html(""),
                cells=joined(
                    markup("<td{kind}>{cell}</td>", kind=Html(kind), cell=cell)
                    for cell, kind in zip(row, classes, strict=True)
                ),
            )
            for place, row in enumerate(rows, 1)
        ),
    )
