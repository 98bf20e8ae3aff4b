"""From bytes to samples and frames on the tick grid: two ffmpeg processes that read the same stream from their stdin.

Exactness. Sample 0 and frame 0 lie at the absolute instant of the run's first tick, and a run that was started
elsewhere in the stream gives the same bits at the same ticks: see `clock` and `commands`. Gaps become silence and a
still, so that later ticks keep their place.

Flow. `feed` hands bytes to one feeder thread per process, a reader thread per process collects what comes out, `read`
takes whole ticks. A medium's reader stops at `AHEAD_TICKS`, so that ffmpeg waits, then its feeder, then `feed`: memory
stays bounded, and nothing ever waits for the wall clock of the stream. While `read` waits for one medium, the other may
run `LEAD_TICKS` further; when it has and the first still gave nothing for the same bytes, the first counts as missing.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.media.clock import read_clock
from kick_clip_generator.media.commands import (
    CONTAINERS,
    FRAME_ROWS,
    FRAME_WIDTH_PX,
    PICTURES,
    SAMPLES_PER_TICK,
    Pictures,
    audio_command,
    video_command,
)
from kick_clip_generator.media.pipes import TickPipe

# 30 s, one window, wait to be read; 90 s of one medium without anything of the other.
AHEAD_TICKS = 60
LEAD_TICKS = 180
QUEUE_BYTES = 1024 * 1024

Medium = Literal["audio", "video"]


@dataclass(frozen=True, slots=True, eq=False)
class TickBlock:
    """Consecutive ticks of a run.

    Attributes:
        first_tick: absolute index of the first.
        ticks: how many were asked for; a medium that is missing, or that has ended, holds fewer.
        pcm: int16 mono at 16 kHz, shape `(m * 8000,)`.
        frames: uint8 yuv420p pictures of 160 × 90, shape `(m * frames per tick, 135, 160)`: rows 0–89 are luma.
    """

    first_tick: int
    ticks: int
    pcm: NDArray[np.int16]
    frames: NDArray[np.uint8]


class DecodeRun:
    """Decodes one gap-free run of a stream.

    `feed` and `close_input` belong to one thread, `read` to another (or the same, if it asks for no more than the fed
    bytes hold); `kill` may be called by any. Use it as a context manager: whatever happens, no process and no thread is
    left.

    Args:
        ffmpeg: the binary.
        container: "mpegts", "mp4" (fragmented, or with its index first), "nut" or "matroska".
        offset_s: absolute stream time of the container's start (`MediaInfo.start_s` of the same bytes).
        first_tick: absolute tick to start with; not before `offset_s`, or the ticks before are silence and a still.
        audio, video: which media to decode; one that the stream lacks gives no ticks.
        frame_rate_hz: frames per second of stream, a whole number of frames per tick.
        pictures: which ones are decoded, see `commands.Pictures`; frames repeat the last decoded one. With "glimpses"
            a run's last ticks hold no frames, for a picture is repeated only until the next one comes.
        accelerator: decodes pictures, see `hardware`; empty: software. When it fails, `read` does.
        stall_s: longest time that ffmpeg may neither take waiting input nor give output that is waited for.
        cancel: ends every wait within half a second.

    Raises:
        ValueError: for a container, frame rate or choice of pictures that does not fit.
    """

    def __init__(
        self,
        ffmpeg: str,
        *,
        container: str,
        offset_s: float,
        first_tick: int,
        audio: bool = True,
        video: bool = True,
        frame_rate_hz: float = 4.0,
        pictures: Pictures = "all",
        accelerator: str = "",
        stall_s: float = 30.0,
        cancel: CancelToken | None = None,
    ) -> None:
        frames_per_tick = frame_rate_hz * TICK_S
        if frames_per_tick < 1 or frames_per_tick != round(frames_per_tick):
            raise ValueError(f"expected a whole number of frames per {TICK_S} s, got {frame_rate_hz} frames a second")
        if container not in CONTAINERS:
            raise ValueError(f"expected one of {', '.join(CONTAINERS)}, got {container!r}")
        if pictures not in PICTURES:
            raise ValueError(f"expected one of {', '.join(PICTURES)}, got {pictures!r}")
        if not math.isfinite(offset_s):
            raise ValueError(f"expected a finite offset, got {offset_s}")
        self._ffmpeg = ffmpeg
        self._container = container
        self._offset_s = offset_s
        self._next_tick = first_tick
        self._wanted: dict[Medium, bool] = {"audio": audio, "video": video}
        self._frames_per_tick = round(frames_per_tick)
        self._pictures: Pictures = pictures
        self._accelerator = accelerator
        self._stall_s = stall_s
        self._cancel = cancel
        self._changed = threading.Condition()
        self._head: bytearray | None = bytearray()
        self._next_look_bytes = 0
        self._pipes: dict[Medium, TickPipe] = {}
        self._input_closed = False
        self._failure: MediaError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def feed(self, data: bytes) -> None:
        """Hand over the stream's next bytes; waits while the reader of ticks is far behind.

        Raises:
            MediaError: ffmpeg died or hung, or the first bytes hold no media.
        """
        if self._input_closed:
            raise ValueError("expected no more input after close_input()")
        if self._head is not None:
            self._check()
            self._head += data
            data = self._open(final=False)
        if not data:
            return
        with self._changed:
            while True:
                self._check()
                living = [pipe for pipe in self._pipes.values() if not pipe.ended]
                if not living and any(pipe.failed for pipe in self._pipes.values()):
                    # Not `_fail`: what was decoded until then can still be read.
                    raise self._last_words("ffmpeg ended before its input did")
                if all(pipe.queued_bytes <= QUEUE_BYTES for pipe in living):
                    break
                self._wait()
            view = memoryview(data)
            for pipe in living:
                pipe.enqueue(view)
            self._changed.notify_all()

    def close_input(self) -> None:
        """There are no more bytes; `read` then gives what is left.

        Raises:
            MediaError: as `feed`.
        """
        if self._input_closed:
            return
        rest = self._open(final=True) if self._head else b""
        with self._changed:
            self._input_closed = True
            self._head = None
            for pipe in self._pipes.values():
                if rest:
                    pipe.enqueue(memoryview(rest))
                pipe.close_input()
            self._changed.notify_all()

    def read(self, ticks: int) -> TickBlock:
        """The next ticks; waits until each medium has them, has ended, or is missing.

        Args:
            ticks: at least 1.

        Raises:
            MediaError: ffmpeg died or hung, `kill` was called, or the stream ended and nothing at all was decoded.
        """
        if ticks < 1:
            raise ValueError(f"expected at least one tick, got {ticks}")
        with self._changed:
            try:
                while True:
                    self._check()
                    if self._ready(ticks):
                        break
                    for pipe in self._pipes.values():
                        pipe.limit_ticks = max(AHEAD_TICKS, ticks + LEAD_TICKS)
                    self._changed.notify_all()
                    self._wait()
            finally:
                for pipe in self._pipes.values():
                    pipe.limit_ticks = AHEAD_TICKS
            if self._pipes and all(pipe.ended and not pipe.gave_output for pipe in self._pipes.values()):
                raise self._fail("Nothing in the stream could be decoded")
            parts = {medium: pipe.take(ticks) for medium, pipe in self._pipes.items()}
            self._changed.notify_all()
        first_tick = self._next_tick
        self._next_tick += ticks
        nothing = np.empty(0, np.uint8)
        return TickBlock(
            first_tick,
            ticks,
            parts.get("audio", nothing).view(np.int16),
            parts.get("video", nothing).reshape(-1, FRAME_ROWS, FRAME_WIDTH_PX),
        )

    def kill(self) -> None:
        """End both processes and all threads at once. May be called again and from any thread."""
        with self._changed:
            if self._failure is None:
                self._failure = MediaError("Decoding was stopped.")
            pipes = list(self._pipes.values())
            for pipe in pipes:
                pipe.stop()
            self._changed.notify_all()
        for pipe in pipes:
            pipe.join()

    def _open(self, *, final: bool) -> bytes:
        """Start the processes when the head tells the clock; returns the bytes that are to be fed now."""
        assert self._head is not None
        if len(self._head) < self._next_look_bytes and not final:
            return b""
        # Not at every small piece: each look reads all of them.
        self._next_look_bytes = 2 * len(self._head)
        head = bytes(self._head)
        try:
            clock = read_clock(head, self._container, final=final)
        except MediaError as error:
            with self._changed:
                raise self._fail(error) from error
        if clock is None:
            return b""
        there: dict[Medium, bool] = {"audio": clock.has_audio, "video": clock.has_video}
        # In the stream's own time stamps.
        first_tick_s = self._next_tick * TICK_S - (self._offset_s - clock.start_s)
        stream = (self._ffmpeg, self._container)
        commands: dict[Medium, tuple[list[str], int]] = {
            "audio": (audio_command(*stream, clock, first_tick_s), SAMPLES_PER_TICK * 2),
            "video": (
                video_command(*stream, self._frames_per_tick, first_tick_s, self._pictures, self._accelerator),
                self._frames_per_tick * FRAME_ROWS * FRAME_WIDTH_PX,
            ),
        }
        with self._changed:
            self._check()
            self._head = None
            for medium, (command, tick_bytes) in commands.items():
                if self._wanted[medium] and there[medium]:
                    self._pipes[medium] = TickPipe(
                        medium, command, tick_bytes=tick_bytes, limit_ticks=AHEAD_TICKS, changed=self._changed
                    )
        return head if self._pipes else b""

    def _ready(self, ticks: int) -> bool:
        """Whether `read` may answer."""
        if not self._pipes:
            return self._head is None
        waited_for = [pipe for pipe in self._pipes.values() if not pipe.has(ticks)]
        return all(
            any(
                other.buffered_ticks >= ticks + LEAD_TICKS and pipe.written_bytes >= other.written_bytes
                for other in self._pipes.values()
            )
            for pipe in waited_for
        )

    def _check(self) -> None:
        if self._cancel is not None:
            self._cancel.check()
        if self._failure is not None:
            raise self._failure
        for pipe in self._pipes.values():
            if pipe.crashed:
                raise self._fail(f"ffmpeg was ended by the system while it decoded {pipe.name}")
            if pipe.failed and self._accelerator and pipe.name == "video":
                # Sound alone must not go on as if the stream had no more pictures: software can decode them.
                raise self._fail(f"{self._accelerator} failed to decode a picture")
            if pipe.stalled_s() > self._stall_s:
                raise self._fail(f"ffmpeg stood still for {self._stall_s:g} s while it decoded {pipe.name}")

    def _wait(self) -> None:
        # Every change notifies; the time limit is for the watchdog and the cancel token.
        self._changed.wait(min(0.5, self._stall_s / 4))

    def _fail(self, what: str | MediaError) -> MediaError:
        """End the run for all its threads; returns what to raise."""
        for pipe in self._pipes.values():
            pipe.stop()
        self._failure = what if isinstance(what, MediaError) else self._last_words(what)
        self._changed.notify_all()
        return self._failure

    def _last_words(self, what: str) -> MediaError:
        said = next((words for pipe in self._pipes.values() if (words := pipe.last_words())), "it said nothing")
        return MediaError(f"{what} ({said}); the stream may be damaged, or memory short.")
