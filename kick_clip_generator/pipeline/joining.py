"""Clips, or stretches of them, become one file with a chapter for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback
from kick_clip_generator.core.records import Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import clock
from kick_clip_generator.library.records import Clip
from kick_clip_generator.media.compound import Compound, make_compound
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.parts import Part


def parts_of(chosen: Sequence[tuple[Clip, Span | None]]) -> list[Part]:
    """A part for each clip, named after its place, its stream and its time there.

    Args:
        chosen: clips, each with the stretch to take, in seconds from its start; None for all of it.

    Raises:
        LibraryError: when a clip's file is gone.
    """
    parts: list[Part] = []
    for rank, (clip, span) in enumerate(chosen, 1):
        require_file(clip)
        start_s, end_s = (span.start_s, span.end_s) if span is not None else (0.0, math.inf)
        title = f"{rank}. {clip.source_title} {clock(clip.span.start_s + start_s)}"
        parts.append(Part(clip.path, start_s, end_s, title))
    return parts


def join(
    parts: Sequence[Part],
    target: Path,
    *,
    temp: Path,
    crossfade_s: float,
    settings: Settings,
    progress: ProgressCallback,
    cancel: CancelToken,
) -> Compound:
    """Write the parts into one file, see `make_compound`; told of as the step "export"."""
    progress(Progress("export", 0, len(parts)))
    return make_compound(
        ffmpeg_path(settings.ffmpeg_path),
        parts,
        target,
        temp=temp,
        crossfade_s=crossfade_s,
        cancel=cancel,
        on_part=lambda part: progress(Progress("export", part, len(parts))),
    )


def require_file(clip: Clip) -> None:
    """Raises:
    LibraryError: when a clip's file is gone.
    """
    if not clip.path.is_file():
        raise LibraryError(f"{clip.path} is not there any more; put it back, or leave clip {clip.id} out.")
