"""Reading a source in windows, whatever it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition, Source, Span, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.probe import MediaInfo
from kick_clip_generator.sources.chunk import MediaSpan
from kick_clip_generator.sources.file_reader import FileReader, HttpReader
from kick_clip_generator.sources.hls_reader import HlsReader

__all__ = ["MediaSpan", "Reader", "open_reader"]


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
        """Instants that no run can cross (discontinuities). A window that has one inside is read in two runs."""
        ...

    def start(self, window: Window) -> float:
        """Begin a run at a window.

        Returns:
            offset_s: the absolute time of the first media that `fetch` will deliver; at most `window.start_s` where
            those media can be had and lie in the same run, at most `window.own_start_s` otherwise.

        Raises:
            SourceError: when not even the window's own first media can be had.
        """
        ...

    def fetch(self, window: Window, target: Path) -> int:
        """Write what the run has not delivered yet of the media before `window.end_s`, with headers in the run's first.

        Returns:
            Bytes written; 0 when earlier windows already got it all.

        Raises:
            SourceError: when it cannot be had complete, after retries, or a break lies in between ("discontinuity");
                the run is over then, and `target` holds what came before, if anything did.
        """
        ...

    def span(self, span: Span, folder: Path) -> MediaSpan:
        """Media to cut a clip from, in the source itself or a file in `folder`.

        Raises:
            SourceError: when they cannot be had complete.
        """
        ...

    def close(self) -> None:
        """Stop reading, also in other threads."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_reader(source: Source, rendition: Rendition, settings: Settings, cancel: CancelToken | None = None) -> Reader:
    """A reader for one rendition of a source.

    Raises:
        SourceError: when its beginning cannot be read.
    """
    if source.kind == "file":
        return FileReader(rendition)
    if source.kind == "http":
        return HttpReader(rendition, settings, cancel)
    return HlsReader(rendition, settings, cancel)
