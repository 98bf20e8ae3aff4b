"""A clip as a tile: its media, what is known about it, its stars and its download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kick_clip_generator.core.records import Kind, Reason
from kick_clip_generator.core.timeline import clock
from kick_clip_generator.library.records import Clip
from kick_clip_generator.ui.html import Html, joined, markup
from kick_clip_generator.ui.stars import stars_field

CHECKED = {"pending": "Not checked yet", "sound": "Checked", "damaged": "Damaged"}
KINDS: Mapping[Kind, str] = {
    "audio": "Sound",
    "video": "Picture",
    "both": "Sound + picture",
    "speech": "Speech",
    "chat": "Chat",
    "fused": "Several signals",
}


def tile(clip: Clip, *, place: str, rank: int | None = None, extra: Html | None = None) -> Html:
    """One clip.

    Args:
        place: the tab, see `stars_field`.
        rank: its place in a ranked list.
        extra: goes beside the download link.
    """
    return markup(
        """
        <article class="tile" data-clip="{id}" aria-label="{title}, {moment}">
          <div class="media">{rank}{media}</div>
          <div class="about">
            <h3><bdi>{heading}</bdi></h3>
            <p class="facts"><span class="badge {kind}">{kind_words}</span>
              <span>Score <strong>{score}</strong></span><span>{moment} · {length} s</span>{checked}</p>
            {fault}{reasons}
            <div class="actions">{stars}<span class="buttons">{extra}{download}</span></div>
          </div>
        </article>""",
        id=clip.id,
        title=clip.source_title,
        # Ranked clips are of one stream, whose title stands above them all.
        heading=clip.source_title if rank is None else clip.name,
        moment=f"{clock(clip.highlight.event.start_s)}–{clock(clip.highlight.event.end_s)}",
        rank=Html("") if rank is None else markup('<span class="rank">#{rank}</span>', rank=rank),
        media=_media(clip),
        kind=clip.kind,
        kind_words=KINDS[clip.kind],
        score=f"{clip.score:.2f}",
        length=f"{clip.span.duration_s:.0f}",
        # The note of a clip that is sound says what went wrong on the way; few want to know.
        checked=markup('<span title="{note}">{words}</span>', note=clip.check_note, words=CHECKED[clip.checked]),
        fault=Html("") if clip.checked != "damaged" else markup('<p class="fault">{note}</p>', note=clip.check_note),
        reasons=reasons_list(clip.highlight.reasons),
        stars=stars_field(clip.id, clip.stars, place=place),
        extra=extra or Html(""),
        download=_download(clip),
    )


def tiles(clips: Sequence[Clip], *, place: str, ranked: bool = False) -> Html:
    """A grid of clips."""
    return markup(
        '<div class="tiles">{tiles}</div>',
        tiles=joined(tile(clip, place=place, rank=n if ranked else None) for n, clip in enumerate(clips, 1)),
    )


def reasons_list(reasons: Sequence[Reason]) -> Html:
    """Why a moment was chosen; each bar is the share of the strongest one."""
    strongest = max((abs(reason.contribution) for reason in reasons), default=0.0)
    if not strongest > 0:
        return Html("")
    return markup(
        '<ul class="reasons" aria-label="Why this moment">{items}</ul>',
        items=joined(
            markup(
                '<li class="{sign}"><span class="bar" style="width:{share}%" aria-hidden="true"></span>'
                "<span>{text}</span></li>",
                sign="less" if reason.contribution < 0 else "more",
                share=f"{100 * abs(reason.contribution) / strongest:.0f}",
                text=reason.text,
            )
            for reason in reasons
        ),
    )


def _media(clip: Clip) -> Html:
    if not _there(clip):
        return markup('<p class="gone">The file has been moved or deleted.</p>')
    # A row names the file; its path never reaches the page. preload="metadata" shows the first picture for some KB.
    element = "audio" if clip.path.suffix.lower() == ".m4a" else "video"
    return markup(
        '<{element} controls playsinline preload="metadata" src="/api/clips/{id}/video" aria-label="{name}">'
        "</{element}>",
        element=element,
        id=clip.id,
        name=clip.name,
    )


def _download(clip: Clip) -> Html:
    if not _there(clip):
        return Html("")
    return markup(
        '<a class="button" href="/api/clips/{id}/download" download aria-label="Download {name}">Download</a>',
        id=clip.id,
        name=clip.name,
    )


def _there(clip: Clip) -> bool:
    try:
        return clip.path.is_file()
    except (OSError, ValueError):
        return False
