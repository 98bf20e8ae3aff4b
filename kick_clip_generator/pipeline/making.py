"""One clip is made: its media fetched, cut into a part file, checked, and cut in a stricter way where it fails."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import CutMode, Source, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.cut import CutResult, check_cut, cut
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.sources.chunk import MediaSpan
from kick_clip_generator.sources.net.traffic import Traffic
from kick_clip_generator.sources.renditions import for_clips
from kick_clip_generator.sources.tracks import Tracks, open_tracks

log = logging.getLogger(__name__)

# A clip that fails its check is cut anew in the next way, which leaves less to the source.
STRICTER: Mapping[CutMode, Sequence[CutMode]] = {
    "copy": ("copy", "smart", "exact"),
    "smart": ("smart", "exact"),
    "exact": ("exact",),
}


class LazyTracks:
    """Opens the wanted rendition when the first clip needs it: a run that finds all its clips made reads nothing."""

    def __init__(self, source: Source, settings: Settings, cancel: CancelToken) -> None:
        self._source = source
        self._settings = settings
        self._cancel = cancel
        self._tracks: Tracks | None = None

    @property
    def tracks(self) -> Tracks:
        if self._tracks is None:
            wanted = for_clips(self._source, self._settings)
            self._tracks = open_tracks(self._source, wanted, self._settings, self._cancel)
        return self._tracks

    @property
    def traffic(self) -> Traffic:
        return self._tracks.traffic if self._tracks is not None else Traffic()

    def __enter__(self) -> LazyTracks:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tracks is not None:
            self._tracks.close()


@contextlib.contextmanager
def fetched(tracks: Tracks, span: Span, temp: Path, later: Sequence[Span] = ()) -> Iterator[MediaSpan]:
    """The media around a clip, for as long as it is cut; `later` are those that are cut after it."""
    media = tracks.span(span, temp, later)
    try:
        yield media
    finally:
        if media.temporary:
            media.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Made:
    """A clip that was cut and is sound as far as it was looked at.

    Attributes:
        cut: how, in the end.
        failed: a sentence for each way that was tried before and did not pass; empty when the first one did.
    """

    cut: CutResult
    failed: str = ""

    @property
    def note(self) -> str:
        """What the user should know of it."""
        return " ".join(filter(None, (self.failed, self.cut.note)))


def make_clip(
    tracks: Tracks,
    media: MediaSpan,
    span: Span,
    part: Path,
    mode: CutMode,
    settings: Settings,
    cancel: CancelToken,
) -> Made:
    """Cut and check one clip into `part`; what was fetched serves all ways.

    Raises:
        MediaError: also the last way failed.
        Cancelled: when the token is up.
    """
    # A discontinuity may cut the span short on either side.
    start_s = max(span.start_s, media.offset_s)
    duration_s = min(span.end_s, media.end_s) - start_s
    failed: list[str] = []
    for way in STRICTER[mode]:
        try:
            done = cut(
                ffmpeg_path(settings.ffmpeg_path),
                media.path,
                part,
                start_s=start_s - media.offset_s,
                duration_s=duration_s,
                mode=way,
                has_video=tracks.has_video,
                has_audio=tracks.has_audio,
                cancel=cancel,
            )
            cancel.check()
            check_cut(part, done, media.path)
        except MediaError as error:
            why = str(error).replace(f" {part.name}", "").replace(part.name, "the clip").rstrip(".")
            if way == "exact":
                raise MediaError(f"{why}.") from error
            # Packets that are missing in the source show only where they are copied; encoding fills the gap.
            log.info("A %s cut did not pass its check: %s", way, error)
            failed.append(f"A {way} cut was not sound ({why}), so the clip was cut anew.")
        else:
            return Made(done, " ".join(failed))
    raise AssertionError("the last way raises or returns")
