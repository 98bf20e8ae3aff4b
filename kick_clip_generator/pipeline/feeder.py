"""The thread between a reader and a decoder: window after window is fetched, fed and deleted."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Sequence
from pathlib import Path

from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Window
from kick_clip_generator.media.decode import DecodeRun
from kick_clip_generator.sources.reader import Reader

# Decoders give their last half tick only when they see what comes after it.
TAIL_S = 0.5

FEED_BYTES = 1 << 20

# Joining waits this long for a fetch that is between two looks at the cancel token.
JOIN_S = 10.0
WAIT_S = 0.2


class Feeder:
    """A thread that fetches window after window and feeds the decoders; its chunk files never outlive it.

    Args:
        reader: has begun a run at the first window.
        windows: the run.
        run: the decoders.
        temp_dir: for chunk files.
        keep: where to leave the last of them instead of deleting it.
    """

    def __init__(
        self, reader: Reader, windows: Sequence[Window], run: DecodeRun, temp_dir: Path, *, keep: Path | None = None
    ) -> None:
        self._reader = reader
        self._windows = windows
        self._run = run
        self._temp_dir = temp_dir
        self._keep = keep
        self._bytes: dict[int, int] = {}
        self._retries: dict[int, int] = {}
        self._failure: tuple[int, Exception] | None = None
        self._ended_at: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="feeder", daemon=True)

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._run.kill()
        if kind is not None:
            # That ends the whole analysis; a fetch that waits for a silent server must not hold it up.
            self._reader.close()
        self._thread.join(JOIN_S)

    def wait(self, cancel: CancelToken) -> None:
        """Wait for the end of the feed.

        Raises:
            Cancelled: when the token is up.
        """
        while self._thread.is_alive():
            cancel.check()
            self._thread.join(WAIT_S)

    def bytes_of(self, window: Window) -> int:
        """Bytes of media that were fed for a window."""
        return self._bytes.get(window.n, 0)

    def retries_of(self, window: Window) -> int:
        """Requests that were repeated while a window was fetched; some fetch ahead for the next one."""
        return self._retries.get(window.n, 0)

    def failure_of(self, window: Window) -> Exception | None:
        """The error that ended the feed, from the window on where it struck."""
        return self._failure[1] if self._failure is not None and window.n >= self._failure[0] else None

    def ended_before(self, window: Window) -> bool:
        """Whether the stream gave no more media for this window."""
        return self._ended_at is not None and window.n >= self._ended_at

    def _feed(self) -> None:
        window = self._windows[0]
        try:
            for window in self._windows:
                if self._stop.is_set():
                    return
                chunk = self._temp_dir / f"window_{window.n:05d}_{threading.get_ident()}.chunk"
                retried = self._reader.traffic.retries
                try:
                    fetched = self._reader.fetch(self._with_tail(window), chunk)
                    self._bytes[window.n] = fetched
                finally:
                    self._retries[window.n] = self._reader.traffic.retries - retried
                    # A fetch that fails midway leaves what came before.
                    self._pour(chunk)
                if not fetched and math.isnan(self._reader.info.duration_s):
                    self._ended_at = window.n
                    break
        except Exception as error:  # handed to the reading thread, which reports it with its window
            self._failure = (window.n, error)
        finally:
            self._close()

    def _with_tail(self, window: Window) -> Window:
        """The run's last window reaches into the next one; the others get the next one anyway."""
        reach_s = window.end_s + TAIL_S
        if window is not self._windows[-1] or any(window.end_s <= at_s <= reach_s for at_s in self._reader.breaks_s):
            return window
        return dataclasses.replace(window, end_s=reach_s)

    def _pour(self, chunk: Path) -> None:
        """Feed a chunk file, if there is one, and delete or keep it."""
        if not chunk.is_file():
            return
        try:
            with chunk.open("rb") as media:
                while not self._stop.is_set() and (piece := media.read(FEED_BYTES)):
                    self._run.feed(piece)
        finally:
            if self._keep is not None:
                chunk.replace(self._keep)
            chunk.unlink(missing_ok=True)

    def _close(self) -> None:
        try:
            self._run.close_input()
        except Exception as error:
            if self._failure is None:
                self._failure = (self._windows[-1].n, error)
