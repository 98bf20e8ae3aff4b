"""Readers of single files, local or on a web server: packets are copied out of the container, window by window."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self, cast

from kick_clip_generator.core.errors import MediaError, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition, Span, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.probe import MediaInfo
from kick_clip_generator.media.remux import Remuxer
from kick_clip_generator.sources.chunk import MediaSpan, removed_on_failure, writable, write_chunk
from kick_clip_generator.sources.http import HttpClient
from kick_clip_generator.sources.inquiry import PEEK_BYTES
from kick_clip_generator.sources.progressive import check_media
from kick_clip_generator.sources.range_file import RangeFile
from kick_clip_generator.sources.safety import redact


class _PacketReader:
    """What both readers share: a run is packets that are copied out of one demuxer, by one thread at a time."""

    breaks_s: tuple[float, ...] = ()
    _remuxer: Remuxer

    def __init__(self) -> None:
        # PyAV's containers must not be closed while another thread reads them.
        self._busy = threading.Lock()

    @property
    def container(self) -> str:
        return self._remuxer.container

    @property
    def info(self) -> MediaInfo:
        return self._remuxer.info

    def start(self, window: Window) -> float:
        with self._busy, self._reading():
            return self._remuxer.start(window.start_s)

    def fetch(self, window: Window, target: Path) -> int:
        with self._busy, self._reading():
            data = self._remuxer.chunk(window.end_s)
        return write_chunk(target, [data])

    def close(self) -> None:
        with self._busy:
            self._remuxer.close()

    def _reading(self) -> contextlib.AbstractContextManager[None]:
        """Around every use of the demuxer."""
        return contextlib.nullcontext()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FileReader(_PacketReader):
    """A local file.

    Raises:
        SourceError: when it cannot be opened any more.
        MediaError: when it holds no media any more.
    """

    def __init__(self, rendition: Rendition) -> None:
        super().__init__()
        self._path = Path(rendition.url)
        try:
            self._file = self._path.open("rb")
        except OSError as error:
            raise SourceError(f"{self._path.name} cannot be opened ({error.strerror}).", outcome="unreadable") from None
        try:
            self._remuxer = Remuxer(self._file)
        except BaseException:
            self._file.close()
            raise

    def span(self, span: Span, folder: Path) -> MediaSpan:
        return MediaSpan(self._path, 0.0, temporary=False)

    def close(self) -> None:
        super().close()
        self._file.close()


class HttpReader(_PacketReader):
    """A file on a web server that sends parts of it.

    Raises:
        SourceError: when the server cannot be reached or does not do that any more.
        MediaError: when the file holds no media any more.
    """

    def __init__(self, rendition: Rendition, settings: Settings, cancel: CancelToken | None = None) -> None:
        super().__init__()
        self._url = rendition.url
        self._client = HttpClient(settings, cancel)
        self._cutter: tuple[RangeFile, Remuxer] | None = None
        try:
            self._file, self._remuxer = self._open()
        except BaseException:
            self._client.close()
            raise

    def span(self, span: Span, folder: Path) -> MediaSpan:
        # A demuxer of its own: the run goes on where it was.
        if self._cutter is None:
            self._cutter = self._open()
        file, remuxer = self._cutter
        with writable(folder):
            handle, name = tempfile.mkstemp(prefix="span_", suffix=".media", dir=folder)
        os.close(handle)
        path = Path(name)
        with removed_on_failure(path), self._busy, _reading(file):
            offset_s = remuxer.write_span(span.start_s, span.end_s, path)
        return MediaSpan(path, offset_s, temporary=True)

    def close(self) -> None:
        # Wakes a thread that waits for bytes, which then lets go of the demuxer.
        self._client.close()
        super().close()
        with self._busy:
            if self._cutter is not None:
                self._cutter[1].close()

    def _reading(self) -> contextlib.AbstractContextManager[None]:
        return _reading(self._file)

    def _open(self) -> tuple[RangeFile, Remuxer]:
        beginning = self._client.peek(self._url, PEEK_BYTES)
        check_media(beginning, redact(self._url))
        file = RangeFile(self._client, beginning, self._url)
        with _reading(file):
            return file, Remuxer(cast(BinaryIO, file))


@contextlib.contextmanager
def _reading(file: RangeFile) -> Iterator[None]:
    """Raise the reason why a file could not be read instead of what the demuxer made of it."""
    file.failure = None
    try:
        yield
    except MediaError:
        if file.failure is not None:
            raise file.failure from None
        raise
    if file.failure is not None:
        # The demuxer took the failure for the end of the file.
        raise file.failure
