"""Copies packets, undecoded, out of any seekable media file: as a byte stream for `DecodeRun`, or as a file to cut from.

A decoder behind a pipe can't read an MP4 whose index lies at its end, nor start in the middle of a file; and a file on a
web server should be read only where it is needed. So libavformat reads here, through a Python file object, and the
packets of the best audio and the best video stream go on in NUT, which carries nearly any codec with exact time stamps.
"""

from __future__ import annotations

import collections
import contextlib
import io
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.clock import HEAD_BYTES, read_clock
from kick_clip_generator.media.probe import MediaInfo, Readable, best_streams, describe, open_media, start_of

log = logging.getLogger(__name__)

AnyPacket = Packet[Any]

# NUT first: exact time stamps. Matroska, in milliseconds, for the codecs that NUT has no tag for.
STREAM_CONTAINERS = ("nut", "matroska")

# MP4 keeps exact time stamps, and its index lets ffmpeg seek; these are the codecs that belong in it.
MP4_CODECS = frozenset(
    {"h264", "hevc", "av1", "libdav1d", "vp9", "libvpx-vp9", "mpeg4", "aac", "mp3", "mp3float", "ac3", "eac3", "opus"}
)

# NUT knows no negative time stamps, and the first packets of an encoder (priming, B-frames) may lie before the start.
HEADROOM_S = 10

# A run may start so long before the time asked for; further back, packets are skipped up to there.
EARLY_S = 30.0
AUDIO_EARLY_S = 3.0

# Where a seek landed too late, it is tried so much earlier: formats without an index seek by guess.
STEPS_BACK_S = (0.0, 5.0, 20.0, 80.0, 320.0)

# Audio packets that are stored before the keyframe they belong to.
MAX_SKEW_S = 1.0


class Remuxer:
    """Reads one media file. Times are in seconds since its start (`info.start_s` in its own time stamps).

    There is one position: `write_span` ends what `start` began.

    Args:
        file: seekable, opened for reading; it stays open.

    Attributes:
        info: what the file holds.
        container: libavformat's name of what `chunk` delivers.

    Raises:
        MediaError: as `probe`.
    """

    def __init__(self, file: BinaryIO | Readable) -> None:
        self._file = file
        self._resources = contextlib.ExitStack()
        self._open()
        self.info: MediaInfo = describe(self._input)
        self.container = next(name for name in STREAM_CONTAINERS if self._fits(name))
        self._out: _Output | None = None
        self._head = b""
        self._pending: AnyPacket | None = None
        self._packets: Iterator[AnyPacket] = iter(())

    def start(self, time_s: float) -> float:
        """Begin a run at the keyframe at or before a time.

        Args:
            time_s: before the start counts as the start.

        Returns:
            Where the bytes that `chunk` will deliver start: their container's start, as `DecodeRun` takes it. It is at
            most `time_s` where the file has anything before that.

        Raises:
            MediaError: nothing can be read there.
        """
        self._end_run()
        self._position(max(time_s, 0.0))
        self._out = _Output(_Sink(), self.container, self._streams, self._shift_s)
        while True:
            more = self._copy_one(math.inf)
            self._head += self._out.drain() if more else self._out.finish()
            if not more and not self._head:
                raise MediaError(f"The media hold nothing at {time_s:.1f} s or after it.")
            # Looking at each packet would look at the first ones a hundred times.
            if not more or len(self._head) >= min(self._next_look, HEAD_BYTES):
                clock = read_clock(self._head, self.container, final=not more)
                if clock is not None:
                    return clock.start_s + self._shift_s - self.info.start_s
                self._next_look *= 2

    def chunk(self, until_s: float) -> bytes:
        """The bytes of the packets up to a time that were not delivered yet; empty when there are none.

        The very last ones come with the chunk that reaches the end of the file.

        Raises:
            MediaError: `start` was not called.
        """
        if self._out is None:
            raise ValueError("expected start() before chunk()")
        data, self._head = self._head, b""
        while self._copy_one(until_s):
            pass
        return data + (self._out.finish() if self._pending is None else self._out.drain())

    def write_span(self, start_s: float, end_s: float, target: Path) -> float:
        """Write a file that holds `[start_s, end_s)`, from the keyframe before it on, to cut from.

        Args:
            target: is overwritten; the format is MP4 where the codecs belong in it, else Matroska.

        Returns:
            Where the file starts: its container's start.

        Raises:
            MediaError: nothing can be read there, or it can't be written.
        """
        self._end_run()
        self._position(max(start_s, 0.0))
        codecs = {stream.codec_context.name for stream in self._streams}
        name = "mp4" if codecs <= MP4_CODECS and self._fits("mp4") else "matroska"
        try:
            with target.open("w+b") as file:
                output = _Output(file, name, self._streams, self._shift_s)
                first = self._pending
                self._out = output
                while self._copy_one(end_s):
                    pass
                output.finish()
                self._out = None
        except OSError as error:
            raise MediaError(f"{target.name} can't be written: {error.strerror or error}.") from error
        if first is None:
            raise MediaError(f"The media hold nothing at {start_s:.1f} s or after it.")
        return self._placed(first, target)

    def close(self) -> None:
        """Free what libavformat holds; the file stays open."""
        self._end_run()
        self._resources.close()

    def _open(self) -> None:
        self._resources.close()
        if isinstance(self._file, io.IOBase) or hasattr(self._file, "seek"):
            self._file.seek(0)
        self._input: InputContainer = self._resources.enter_context(open_media(self._file))
        audio, video = best_streams(self._input)
        self._streams = [stream for stream in (video, audio) if stream is not None]
        for stream in self._input.streams:
            stream.discard = Discard.default if stream in self._streams else Discard.all
        start_s = start_of(*self._streams)
        self._start_s = 0.0 if math.isnan(start_s) else start_s
        # Whole seconds fall on whole ticks of nearly every clock.
        self._shift_s = math.floor(self._start_s) - HEADROOM_S
