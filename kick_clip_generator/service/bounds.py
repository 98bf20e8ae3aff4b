"""The ends of a clip stay movable: cut anew from its source, under the same number, name, stars and label."""

from __future__ import annotations

import math

from kick_clip_generator.core.errors import InputError, SourceError
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback, silent
from kick_clip_generator.core.records import CutMode, Source, Span
from kick_clip_generator.core.settings import Settings, with_changes
from kick_clip_generator.core.timeline import clock
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip, SourceRecord
from kick_clip_generator.pipeline.clips import SAME_END_S, untouched
from kick_clip_generator.pipeline.kept_source import resolve_or_kept
from kick_clip_generator.pipeline.recut import Recut, is_same, recut
from kick_clip_generator.service.folders import scan
from kick_clip_generator.service.generate import require_recording

# Containers and playlists round the length of a stream.
END_SLACK_S = 1.0

# What a server or platform says of a source that is there no more.
GONE = ("gone", "not_found", "login", "blocked", "geo_blocked")


def move_bounds(
    clip_id: int,
    start_s: float | None,
    end_s: float | None,
    *,
    library: Library,
    settings: Settings,
    url: str | None = None,
    cut: CutMode | None = None,
    progress: ProgressCallback = silent,
    cancel: CancelToken | None = None,
) -> Recut:
    """Give a clip other ends. Its number, file name, stars, label and features stay.

    Args:
        clip_id: the clip.
        start_s, end_s: in the stream; None leaves that end where it is.
        url: where its source is now: a link that was signed anew (signatures are not kept), or a file that was moved.
        cut: None for the way in which it was cut.

    Raises:
        InputError: when the times make no span, or lie outside the stream.
        LibraryError: when there is no such clip, its file was changed by somebody, or the disk refuses.
        SourceError: when the source has expired, or is another one by now; the clip stays as it is.
        MediaError, Cancelled: as cutting any clip; the clip stays as it is.
    """
    scan(library, settings)
    clip = library.clip(clip_id)
    record = library.source(clip.source_id)
    span = _span(clip, start_s, end_s)
    if cut in (None, clip.cut) and _same(span, clip.span) and untouched(clip):
        return Recut(clip, f"Clip {clip.id} has these ends already.")
    token = cancel or CancelToken()
    progress(Progress("resolve"))
    source = _resolved(library, clip, record, url, settings, token)
    require_recording(source)
    require_inside(span, source)
    return recut(
        source,
        clip,
        span,
        mode=cut or clip.cut,
        library=library,
        settings=with_changes(settings, quality=clip.quality) if clip.quality else settings,
        progress=progress,
        cancel=token,
    )


def require_inside(span: Span, source: Source) -> None:
    """Raises:
    InputError: when a span reaches beyond the end of the stream.
    """
    length = f"{clock(source.duration_s)}, {source.duration_s:.1f} s"
    if span.start_s >= source.duration_s:
        raise InputError(
            f"A clip from {clock(span.start_s)} lies behind the end of the stream ({length}); choose an earlier one."
        )
    if span.end_s > source.duration_s + END_SLACK_S:
        raise InputError(
            f"A clip up to {clock(span.end_s)} reaches beyond the end of the stream ({length}); choose an earlier end."
        )


def _span(clip: Clip, start_s: float | None, end_s: float | None) -> Span:
    start_s = clip.span.start_s if start_s is None else start_s
    end_s = clip.span.end_s if end_s is None else end_s
    if not (math.isfinite(start_s) and math.isfinite(end_s) and start_s >= 0):
        raise InputError(f"A clip begins at 0 or later and has an end, got {start_s} to {end_s}.")
    if start_s >= end_s:
        raise InputError(f"The start ({clock(start_s)}) must lie before the end ({clock(end_s)}) of clip {clip.id}.")
    return Span(start_s, end_s)


def _same(one: Span, other: Span) -> bool:
    return max(abs(one.start_s - other.start_s), abs(one.end_s - other.end_s)) < SAME_END_S


def _resolved(
    library: Library, clip: Clip, record: SourceRecord, url: str | None, settings: Settings, token: CancelToken
) -> Source:
    """The source of a clip as it is now, or the download of it that is kept.

    Raises:
        SourceError: when it is gone, or another one.
    """
    try:
        source = resolve_or_kept(library, record.id, url or record.url, settings, token)
    except SourceError as error:
        if url is not None or error.outcome not in GONE:
            raise
        raise SourceError(
            f"The ends of clip {clip.id} cannot be moved, for its source is not there any more or its link has "
            f"expired, and the clip stays as it is; give its new link or place with --url if there is one ({error})",
            outcome=error.outcome,
            retryable=error.retryable,
        ) from error
    if not is_same(source, record):
        raise SourceError(
            f"The ends of clip {clip.id} cannot be moved, for {source.title} is not what it was when the clip was cut: "
            "they would show something else, so the clip stays as it is; cut a new one from it.",
            outcome="changed",
        )
    return source
