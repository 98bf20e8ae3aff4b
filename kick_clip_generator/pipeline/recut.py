"""A clip gets other ends: cut anew from its source, checked, and published in the place of the old file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback
from kick_clip_generator.core.records import CutMode, Source, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import check_writable, part_file, publish, sweep_parts
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip, NewEnds, Published, SourceRecord
from kick_clip_generator.pipeline.clips import untouched
from kick_clip_generator.pipeline.making import LazyTracks, fetched, make_clip
from kick_clip_generator.pipeline.thumbnails import make_thumbnail
from kick_clip_generator.pipeline.workspace import workspace
from kick_clip_generator.sources.local import fingerprint

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recut:
    """A clip with its new ends, and a sentence for the user that may be empty."""

    clip: Clip
    note: str = ""


def recut(
    source: Source,
    clip: Clip,
    span: Span,
    *,
    mode: CutMode,
    library: Library,
    settings: Settings,
    progress: ProgressCallback,
    cancel: CancelToken,
    damaged: str = "",
) -> Recut:
    """Cut a clip anew; only the segments that the new span touches are fetched.

    Args:
        mode: how; see `damaged`.
        damaged: why this is not done for other ends but because the file is no good; then the clip still counts as cut
            in the old way with nobody's ends, so that a later run takes it for what it planned.

    The old file stays until the new one has been checked, and takes its place in one step. The row is told before and
    after, so that a kill in between is mended by the next scan (`library.folders`).

    Raises:
        LibraryError: when the file was changed by somebody, the disk refuses, or the clip is moved elsewhere meanwhile.
        SourceError: when the media cannot be had.
        MediaError: when they cannot be cut.
        Cancelled: when the token is up; the old file stays.
    """
    there = clip.path.exists()
    if there and not untouched(clip):
        raise LibraryError(
            f"{clip.path} was changed since it was cut, and new ends would overwrite that; move it to another folder "
            "outside, and try again."
        )
    check_writable(clip.path.parent)
    sweep_parts(clip.path.parent)
    progress(Progress("clips", 0, 1, message=clip.path.stem))

    with workspace(settings.temp_dir) as temp, LazyTracks(source, settings, cancel) as lazy:
        with fetched(lazy.tracks, span, temp) as media, part_file(clip.path) as part:
            made = make_clip(lazy.tracks, media, span, part, mode, settings, cancel)
            note = " ".join(filter(None, (damaged, made.failed)))
            ends: list[NewEnds] = []

            def announce(file: Published) -> None:
                cut = clip.cut if damaged else mode
                ends.append(NewEnds(file, span, cut, check_note=note, by_hand=not damaged))
                library.announce_ends(clip.id, ends[0])

            publish(part, clip.path, replace=there, announce=announce)
        moved = library.finish_ends(clip.id, ends[0])
        make_thumbnail(moved.path, clip.highlight.peak_s - media.offset_s - made.cut.start_s)
    progress(Progress("clips", 1, 1))
    return Recut(moved, made.note)


def is_same(source: Source, record: SourceRecord) -> bool:
    """Whether a source is still what clips were cut from; a local file may be in another place by now, which is a part
    of its fingerprint.
    """
    if source.fingerprint == record.fingerprint:
        return True
    if source.kind != "file" or record.kind != "file":
        return False
    facts = Path(source.url).stat()
    return fingerprint("file", record.url, facts.st_size, facts.st_mtime_ns) == record.fingerprint
