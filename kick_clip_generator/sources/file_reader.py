"""Readers of single files, local or on a web server: packets are copied out of the container, window by window."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self, cast

from kick_clip_generator.core.errors import MediaError, SourceError, SourceLost
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition, Span, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.probe import MediaInfo
from kick_clip_generator.media.remux import Remuxer
from kick_clip_generator.sources.chunk import MediaSpan, removed_on_failure, writable, write_chunk
from kick_clip_generator.sources.inquiry import PEEK_BYTES
from kick_clip_generator.sources.net.carry import Carry
from kick_clip_generator.sources.net.http import HttpClient, HttpError, Reply, Traffic
from kick_clip_generator.sources.progressive import check_media
from kick_clip_generator.sources.range_file import EXPIRED, RangeFile, changed
from kick_clip_generator.sources.safety import redact

# A clip reads from the keyframe before it to a little beyond its end; clips this near to each other share that.
NEAR_S = 10.0


class _PacketReader:
    """What both readers share: a run is packets that are copied out of one demuxer, by one thread at a time."""

    breaks_s: tuple[float, ...] = ()
    holes: tuple[Span, ...] = ()
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

    @property
    def traffic(self) -> Traffic:
        return Traffic()

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

    def span(self, span: Span, folder: Path, later: Sequence[Span] = ()) -> MediaSpan:
        return MediaSpan(self._path, 0.0, temporary=False)

    def close(self) -> None:
        super().close()
        self._file.close()


class HttpReader(_PacketReader):
    """A file on a web server that sends parts of it.

    Args:
        rendition: `url` is the file.
        settings: of the network.
        cancel: ends waits.
        carry: headers and cookies, and who gets them.
        renew: resolves the source again once its address has expired; None, and its None, say that there is no other.

    Raises:
        SourceError: when the server cannot be reached or does not do that any more.
        MediaError: when the file holds no media any more.
    """

    def __init__(
        self,
        rendition: Rendition,
        settings: Settings,
        cancel: CancelToken | None = None,
        *,
        carry: Carry | None = None,
        renew: Callable[[], Rendition | None] | None = None,
    ) -> None:
        super().__init__()
        self._url = rendition.url
        self._renew = renew
        self._renewing = threading.Lock()
        self._client = HttpClient(settings, cancel, carry)
        self._cutter: tuple[RangeFile, Remuxer] | None = None
        try:
            self._file, self._remuxer = self._open(self._peek())
        except BaseException:
            self._client.close()
            raise

    @property
    def traffic(self) -> Traffic:
        return self._client.traffic

    def span(self, span: Span, folder: Path, later: Sequence[Span] = ()) -> MediaSpan:
        # A demuxer of its own: the run goes on where it was.
        with _or_lost():
            if self._cutter is None:
                beginning = self._peek()
                if not self._file.is_same(beginning):
                    raise changed(self._url)
                self._cutter = self._open(beginning)
        file, remuxer = self._cutter
        around = Span(max(0.0, span.start_s - NEAR_S), span.end_s + NEAR_S)
        file.keep(folder, shared=any(one.overlap_s(around) > 0 for one in later))
        with writable(folder):
            handle, name = tempfile.mkstemp(prefix="span_", suffix=".media", dir=folder)
        os.close(handle)
        path = Path(name)
        with removed_on_failure(path), self._busy, _or_lost(), _reading(file):
            offset_s = remuxer.write_span(span.start_s, span.end_s, path)
        return MediaSpan(path, offset_s, temporary=True)

    def close(self) -> None:
        # Wakes a thread that waits for bytes, which then lets go of the demuxer.
        self._client.close()
        super().close()
        with self._busy:
            if self._cutter is not None:
                self._cutter[1].close()
                self._cutter[0].close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with _or_lost(), _reading(self._file):
            yield

    def _peek(self) -> Reply:
        url = self._url
        try:
            return self._client.peek(url, PEEK_BYTES)
        except HttpError as error:
            fresh = self._renewed(url) if error.outcome in EXPIRED else None
            if fresh is None:
                raise
        return self._client.peek(fresh, PEEK_BYTES)

    def _open(self, beginning: Reply) -> tuple[RangeFile, Remuxer]:
        check_media(beginning, redact(self._url))
        file = RangeFile(self._client, beginning, self._url, self._renewed)
        with _reading(file):
            return file, Remuxer(cast(BinaryIO, file))

    def _renewed(self, stale_url: str) -> str | None:
        """Another address of the file than one that has expired; None when there is none."""
        with self._renewing:
            if self._url == stale_url:
                rendition = self._renew() if self._renew is not None else None
                if rendition is None:
                    return None
                self._client.trust(rendition)
                self._url = rendition.url
            return self._url


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


@contextlib.contextmanager
def _or_lost() -> Iterator[None]:
    """A single file that cannot be read in one place, after all retries, is lost from there on."""
    try:
        yield
    except SourceLost:
        raise
    except SourceError as error:
        raise SourceLost(str(error), outcome=error.outcome, retryable=error.retryable) from None
