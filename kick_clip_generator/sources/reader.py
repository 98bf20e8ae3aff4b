"""Reading a source in windows, whatever it is made of."""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, Self

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition, Source, Span, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.probe import MediaInfo
from kick_clip_generator.sources.chunk import MediaSpan
from kick_clip_generator.sources.file_reader import FileReader, HttpReader
from kick_clip_generator.sources.hls.reader import HlsReader
from kick_clip_generator.sources.live.reader import LiveReader
from kick_clip_generator.sources.net.carry import Carry
from kick_clip_generator.sources.net.traffic import Traffic
from kick_clip_generator.sources.resolve import resolve

__all__ = ["MediaSpan", "Reader", "open_reader"]

log = logging.getLogger(__name__)

# A platform that refuses fresh addresses, too, is not asked without end.
MOST_RENEWALS_AN_HOUR = 20
RENEWAL_PAUSE_S = 5.0

Renew = Callable[[], Rendition | None]


class Reader(Protocol):
    """Delivers the media of consecutive windows as one gap-free byte stream, a *run*, ready for a decoder."""

    @property
    def container(self) -> str:
        """What `fetch` writes: "mpegts", "mp4" (fragmented), "nut" or "matroska"."""
        ...

    @property
    def info(self) -> MediaInfo:
        """What the media hold, by probing them; `duration_s` is that of the whole source."""
        ...

    @property
    def breaks_s(self) -> tuple[float, ...]:
        """Instants that no run can cross: discontinuities, and the edges of holes. More may show as reading goes on."""
        ...

    @property
    def holes(self) -> tuple[Span, ...]:
        """Stretches that are known to be lost. More may show as reading goes on."""
        ...

    @property
    def traffic(self) -> Traffic:
        """What was asked of servers so far."""
        ...

    def start(self, window: Window) -> float:
        """Begin a run at a window.

        Returns:
            offset_s: the absolute time of the first media that `fetch` will deliver; at most `window.start_s` where
            those media can be had and lie in the same run, at most `window.own_start_s` otherwise.

        Raises:
            SourceError: when not even the window's own first media can be had ("gap" inside a hole), or a live stream
                is over ("ended").
            SourceLost: when nothing more can be read.
        """
        ...

    def fetch(self, window: Window, target: Path) -> int:
        """Write what the run has not delivered yet of the media before `window.end_s`, with headers in the run's first.

        Returns:
            Bytes written; 0 when earlier windows already got it all.

        Raises:
            SourceError: when it cannot be had complete, after retries ("gap": `breaks_s` and `holes` then tell what is
                lost), or a break lies in between ("discontinuity"); the run is over then, and `target` holds what came
                before, if anything did.
            SourceLost: when nothing more can be read.
        """
        ...

    def span(self, span: Span, folder: Path, later: Sequence[Span] = ()) -> MediaSpan:
        """Media to cut a clip from, in the source itself or a file in `folder`.

        Args:
            later: what will be asked for after this; media that it shares with this are not fetched twice, but kept in
                `folder`, which is the same in all calls, until the reader is closed.

        Raises:
            SourceError: when they cannot be had complete.
        """
        ...

    def close(self) -> None:
        """Stop reading, also in other threads."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_reader(
    source: Source,
    rendition: Rendition,
    settings: Settings,
    cancel: CancelToken | None = None,
    *,
    sound: bool = False,
) -> Reader:
    """A reader for one byte stream: the one that `rendition.url` names, or with `sound` that of `rendition.audio_url`.

    Raises:
        SourceError: when its beginning cannot be read.
    """
    read = _sound_of(rendition) if sound else rendition
    if source.kind == "file":
        return FileReader(read)
    carry = Carry.of(source, settings)
    renew = _renewal(source, rendition, settings, cancel, sound=sound) if source.link else None
    if source.kind == "http":
        return HttpReader(read, settings, cancel, carry=carry, renew=renew)
    if source.live:
        return LiveReader(source, read, settings, cancel, carry=carry, renew=renew)
    return HlsReader(read, settings, cancel, carry=carry, renew=renew)


def _sound_of(rendition: Rendition) -> Rendition:
    return Rendition(url=rendition.audio_url, has_audio=True, has_video=False)


def _renewal(
    source: Source, rendition: Rendition, settings: Settings, cancel: CancelToken | None, *, sound: bool
) -> Renew:
    """Asks the resolvers for the same rendition again; its addresses were signed for a while only."""
    asked_s: collections.deque[float] = collections.deque(maxlen=MOST_RENEWALS_AN_HOUR)

    def renew() -> Rendition | None:
        now_s = time.monotonic()
        if asked_s and now_s - asked_s[-1] < RENEWAL_PAUSE_S:
            return None
        if len(asked_s) == MOST_RENEWALS_AN_HOUR and now_s - asked_s[0] < 3600:
            return None
        asked_s.append(now_s)
        log.info("The addresses of %s are asked for again.", source.url)
        try:
            fresh = _same(rendition, resolve(source.link, settings, cancel).renditions)
        except SourceError as error:
            if source.live:
                # That the channel is offline is an answer: the stream has ended.
                raise
            log.warning("The addresses of %s could not be renewed: %s", source.url, error)
            return None
        return _sound_of(fresh) if sound and fresh is not None else fresh

    return renew


def _same(rendition: Rendition, fresh: Sequence[Rendition]) -> Rendition | None:
    """The rendition of a newly resolved source that is the one we read; None when it is not offered any more."""

    def facts(one: Rendition) -> tuple[object, ...]:
        # As text, for unknown numbers are NaN, which equals nothing.
        return one.height_px, one.codecs, one.has_video, bool(one.audio_url), str(one.fps), str(one.bitrate_bps)

    return next((one for one in fresh if facts(one) == facts(rendition)), None)
