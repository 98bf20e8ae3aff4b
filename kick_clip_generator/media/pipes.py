"""One ffmpeg between two threads: bytes go in, whole ticks come out, and neither side can lock the other up."""

from __future__ import annotations

import collections
import io
import logging
import os
import subprocess
import threading
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.media.ffmpeg import StderrTail, kill, spawn

log = logging.getLogger(__name__)

WRITE_BYTES = 256 * 1024
BLOCK_TICKS = 10
JOIN_S = 5.0


class TickPipe:
    """A process that turns the bytes it is fed into ticks of fixed size.

    All attributes are guarded by `changed`, and every change of them notifies it; so do the methods expect it to be
    held, but for `join`.

    Args:
        name: for messages, e.g. "audio".
        command: the process; it reads its stdin and writes its stdout.
        tick_bytes: bytes of output that make a tick.
        changed: the lock of the run that this pipe belongs to.
        limit_ticks: the first value of that attribute.

    Attributes:
        limit_ticks: output is left in the process while so many ticks wait to be taken.
        queued_bytes: input that waits for the process.
        written_bytes: input that the process has taken.
        ended: the process is gone and all its output is here.
        gave_output: at least one byte came.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, tick_bytes: int, limit_ticks: int, changed: threading.Condition
    ) -> None:
        self.name = name
        self.limit_ticks = limit_ticks
        self.queued_bytes = 0
        self.written_bytes = 0
        self.ended = False
        self.gave_output = False
        self._tick_bytes = tick_bytes
        self._changed = changed
        self._queue: collections.deque[memoryview] = collections.deque()
        self._input_closed = False
        self._stopped = False
        self._paused = False
        self._moved_at = time.monotonic()
        self._returncode: int | None = None
        # Output: whole blocks, of which the last is being filled; `_taken` bytes of the first are gone.
        self._blocks: collections.deque[NDArray[np.uint8]] = collections.deque()
        self._taken = 0
        self._buffered_bytes = 0
        self._debt_ticks = 0
        self._process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        self._stderr = StderrTail(self._process.stderr)
        self._threads = [
            threading.Thread(target=target, name=f"ffmpeg-{name}-{what}", daemon=True)
            for what, target in (("feeder", self._write), ("reader", self._read))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def failed(self) -> bool:
        """The process ended, not by us, and says that it could not do its work."""
        return self.ended and not self._stopped and self._returncode != 0

    @property
    def crashed(self) -> bool:
        """The process was ended by a signal that is not ours (or, on Windows, by a fault)."""
        return self.failed and self._returncode is not None and not 0 < self._returncode < 256

    @property
    def buffered_ticks(self) -> int:
        return self._buffered_bytes // self._tick_bytes

    def stalled_s(self) -> float:
        """Seconds for which the process has had input and room for output, and used neither."""
        busy = bool(self._queue) or self._input_closed
        if self.ended or self._stopped or self._paused or not busy:
            return 0.0
        return time.monotonic() - self._moved_at

    def enqueue(self, data: memoryview) -> None:
        """Have bytes written to the process."""
        if not self._queue:
            self._moved_at = time.monotonic()
        self._queue.append(data)
        self.queued_bytes += len(data)

    def close_input(self) -> None:
        """Close the process's input once all queued bytes are written."""
        self._input_closed = True
        self._moved_at = time.monotonic()

    def has(self, ticks: int) -> bool:
        """Whether `take` has so many ticks to give, or all there will ever be."""
        late = min(self._debt_ticks, self.buffered_ticks)
        if late:
            self._consume(late * self._tick_bytes, None)
            self._debt_ticks -= late
            self._changed.notify_all()
        return self.ended or self.buffered_ticks >= ticks

    def take(self, ticks: int) -> NDArray[np.uint8]:
        """The next ticks as bytes; fewer when there are fewer, and then the rest is dropped should it come later."""
        got = min(ticks, self.buffered_ticks)
        self._debt_ticks += ticks - got
        out = np.empty(got * self._tick_bytes, np.uint8)
        self._consume(len(out), out)
        return out

    def stop(self) -> None:
        """End the process; its threads follow."""
        self._stopped = True
        self._queue.clear()
        self.queued_bytes = 0
        kill(self._process)

    def join(self) -> None:
        """Wait for the threads after `stop`, without holding `changed`."""
        for thread in self._threads:
            thread.join(JOIN_S)

    def last_words(self) -> str:
        """The last line of the process's stderr, empty when there is none."""
        return next(reversed(self._stderr.lines()), "")

    def _consume(self, count: int, out: NDArray[np.uint8] | None) -> None:
        """Drop `count` buffered bytes, into `out` if it is given."""
        done = 0
        while done < count:
            block = self._blocks[0]
            step = min(count - done, len(block) - self._taken)
            if out is not None:
                out[done : done + step] = block[self._taken : self._taken + step]
            done += step
            self._taken += step
            if self._taken == len(block):
                self._blocks.popleft()
                self._taken = 0
        self._buffered_bytes -= count

    def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            while True:
                with self._changed:
                    while not (self._queue or self._input_closed or self.ended or self._stopped):
                        self._changed.wait()
                    if self.ended or self._stopped or not self._queue:
                        return
                    view = self._queue[0][:WRITE_BYTES]
                written = os.write(stdin.fileno(), view)
                with self._changed:
                    self._moved_at = time.monotonic()
                    self.written_bytes += written
                    if self._queue:
                        self.queued_bytes -= written
                        rest = self._queue.popleft()[written:]
                        if rest:
                            self._queue.appendleft(rest)
                    self._changed.notify_all()
        except OSError:
            # The process closed its end; the reader sees it end and says so.
            pass
        finally:
            try:
                stdin.close()
            except OSError:
                log.debug("the %s process closed its input first", self.name)

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        # The buffered object would copy once more.
        raw = stdout.raw if isinstance(stdout, io.BufferedReader) else None
        assert isinstance(raw, io.FileIO)
        block = memoryview(b"")
        try:
            while True:
                with self._changed:
                    while self.buffered_ticks >= self.limit_ticks and not self._stopped:
                        self._paused = True
                        self._changed.wait()
                    if self._paused:
                        self._paused = False
                        self._moved_at = time.monotonic()
                    if not block:
                        self._blocks.append(np.empty(BLOCK_TICKS * self._tick_bytes, np.uint8))
                        block = self._blocks[-1].data
                count = raw.readinto(block)
                if not count:
                    return
                block = block[count:]
                with self._changed:
                    self._moved_at = time.monotonic()
                    self.gave_output = True
                    before = self.buffered_ticks
                    self._buffered_bytes += count
                    if self.buffered_ticks != before:
                        self._changed.notify_all()
        except (OSError, ValueError):
            log.debug("the output of the %s process was closed", self.name)
        finally:
            stdout.close()
            self._finish()

    def _finish(self) -> None:
        returncode = self._process.wait()
        with self._changed:
            self._returncode = returncode
            self.ended = True
            self._queue.clear()
            self.queued_bytes = 0
            self._changed.notify_all()
        if self.failed:
            log.warning("decoding of the %s ended early: %s", self.name, self.last_words() or f"code {returncode}")
