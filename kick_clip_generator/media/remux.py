"""Copies packets, undecoded, out of any seekable media file: as bytes for `DecodeRun`, or as a file to cut from.

A decoder behind a pipe can't read an MP4 whose index lies at its end, nor start in the middle of a file; and a file on
a web server should be read only where it is needed. So libavformat reads here, through a Python file object, and the
packets of the best audio and the best video stream go on in NUT, which carries nearly any codec with exact time stamps.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.clock import read_clock
from kick_clip_generator.media.mux import Output, Sink
from kick_clip_generator.media.probe import (
    MediaInfo,
    Readable,
    best_streams,
    describe,
    open_media,
    packets_of,
    start_of,
)

log = logging.getLogger(__name__)

# NUT first: exact time stamps. Matroska, in milliseconds, for the codecs that NUT has no tag for.
STREAM_CONTAINERS = ("nut", "matroska")

# MP4 keeps exact time stamps, and its index lets ffmpeg seek; these are the codecs that belong in it.
MP4_CODECS = frozenset({"h264", "hevc", "av1", "libdav1d", "vp9", "mpeg4", "aac", "mp3", "mp3float", "ac3", "opus"})

# NUT knows no negative time stamps, and the first packets of an encoder (priming, B-frames) may lie before the start.
HEADROOM_S = 10

# A run may start so long before the time asked for; what lies further back is skipped.
EARLY_S = 30.0
AUDIO_EARLY_S = 3.0

# Where a seek lands too late it is tried so much earlier: formats without an index seek by guess.
STEPS_BACK_S = (0.0, 2.5, 5.0, 10.0, 30.0, 90.0)

# Packets of one moment lie so far from each other in a well made file.
MAX_SKEW_S = 1.0

# What `start` reads at first to learn where the streams begin.
HEAD_S = 2.0


class SeekableFile(Readable, Protocol):
    """A file object that libavformat can move about in."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


class Remuxer:
    """Reads one media file. Times are in seconds since its start (`info.start_s` in its own time stamps).

    There is one position: `write_span` ends the run that `start` began.

    Args:
        file: opened for reading; it stays open. What its `read` raises comes through.

    Attributes:
        info: what the file holds.
        container: what `chunk` delivers, as `DecodeRun` takes it.

    Raises:
        MediaError: as `probe`.
    """

    def __init__(self, file: SeekableFile) -> None:
        self._file = file
        self._opened = contextlib.ExitStack()
        self._rewind()
        self.info: MediaInfo = describe(self._input)
        self.container = next(
            (name for name in STREAM_CONTAINERS if Output.fits(name, self._streams)), STREAM_CONTAINERS[-1]
        )
        self._sink = Sink()
        self._output: Output | None = None
        self._head = b""

    def start(self, time_s: float) -> float:
        """Begin a run at a keyframe at or before a time.

        Args:
            time_s: what lies before the file's start counts as its start.

        Returns:
            Where the bytes that `chunk` will deliver start: their container's start, exact. It is at most `time_s`
            where the file holds anything so early.

        Raises:
            MediaError: nothing can be read from there on.
        """
        self._end_run()
        reach_s = self._time_of(self._position(time_s))
        self._output = Output(self._sink, self.container, self._streams, self._shift_s)
        zero_s = self._output.start_s()
        head_s = HEAD_S
        while True:
            reach_s += head_s
            self._head += self._copy(reach_s)
            clock = read_clock(self._head, self.container, final=self._output is None, span_s=0.0)
            if clock is not None:
                return clock.start_s - zero_s
            head_s *= 2

    def chunk(self, until_s: float) -> bytes:
        """The packets before a time that were not delivered yet, as the next bytes of the run; may be empty.

        Raises:
            MediaError: the packets can't be copied.
        """
        data, self._head = self._head, b""
        return data + self._copy(until_s)

    def write_span(self, start_s: float, end_s: float, target: Path) -> float:
        """Write a file to cut from that holds `[start_s, end_s)` and more: it begins with the keyframe before.

        Args:
            start_s, end_s: what lies outside the file is left out.
            target: is overwritten, in MP4 where the codecs belong in it, else in Matroska.

        Returns:
            Where the file starts (its container's start).

        Raises:
            MediaError: nothing can be read there, or the target can't be written.
        """
        self._end_run()
        first = self._position(start_s)
        # Muxing rebases the packet's time stamps.
        first_index, first_s = first.stream_index, self._time_of(first)
        name = "mp4" if all(stream.codec_context.name in MP4_CODECS for stream in self._streams) else "matroska"
        try:
            with target.open("wb") as file:
                # From about 0 on, for Matroska counts a file's duration from there.
                self._output = Output(file, name, self._streams, math.floor(first_s + self._start_s - MAX_SKEW_S))
                # A packet of the other stream that belongs before the end may be stored a little after it.
                self._copy(end_s + MAX_SKEW_S)
                self._end_run()
        except OSError as error:
            raise MediaError(f"{target.name} can't be written: {error.strerror or error}.") from error
        kind = next(stream.type for stream in self._streams if stream.index == first_index)
        with open_media(target) as written:
            # The muxer shifts time as it needs to, so ask the file where it put the first packet.
            stream = next(stream for stream in best_streams(written) if stream is not None and stream.type == kind)
            packet = next(packets_of(written, [stream]))
            assert packet.pts is not None
            return first_s - float(packet.pts * packet.time_base) + describe(written).start_s

    def close(self) -> None:
        """Free what libavformat holds; the file stays open."""
        self._end_run()
        self._opened.close()

    def _rewind(self) -> None:
        """Open the file, or open it again: the one way back to the start that every format knows."""
        self._opened.close()
        self._file.seek(0)
        self._input: InputContainer = self._opened.enter_context(open_media(self._file))
        audio, video = best_streams(self._input)
        # The first one guides: runs begin with one of its keyframes.
        self._streams: list[Stream] = [stream for stream in (video, audio) if stream is not None]
        for stream in self._input.streams:
            stream.discard = Discard.default if stream in self._streams else Discard.all
        start_s = start_of(*self._streams)
        self._start_s = 0.0 if math.isnan(start_s) else start_s
        # Whole seconds, which fall on whole ticks of nearly any clock.
        self._shift_s = math.floor(self._start_s) - HEADROOM_S
        self._packets: Iterator[Packet[Any]] = packets_of(self._input, self._streams)

    def _time_of(self, packet: Packet[Any]) -> float:
        stamp = packet.pts if packet.pts is not None else packet.dts
        assert stamp is not None
        return float(stamp * packet.time_base) - self._start_s

    def _position(self, time_s: float) -> Packet[Any]:
        """Let `_packets` begin with a keyframe at or before a time; returns the first packet.

        Raises:
            MediaError: there are no packets.
        """
        if not self._seek_keyframe(time_s):
            self._rewind()
            found, keyframe_s = self._skip(self._early(time_s), time_s)
            if not found:
                # One keyframe long ago, or none at all: then from the start.
                self._rewind()
                if keyframe_s is not None:
                    self._skip(keyframe_s, time_s)
        first = next(self._packets, None)
        if first is None:
            raise MediaError(f"The media hold nothing that can be read at {max(time_s, 0.0):.1f} s or after it.")
        self._packets = itertools.chain([first], self._packets)
        return first

    def _early(self, time_s: float) -> float:
        return time_s - (EARLY_S if self._streams[0].type == "video" else AUDIO_EARLY_S)

    def _seek_keyframe(self, time_s: float) -> bool:
        """As `_position`, by seeking; False where the format can't."""
        # A sound that is asked for is decoded right only once the decoder has had the second before it.
        lead_s = 0.0 if self._streams[0].type == "video" else MAX_SKEW_S
        for step_s in STEPS_BACK_S:
            if time_s - lead_s - step_s <= 0 or not self._seek(time_s - lead_s - step_s):
                return False
            found, keyframe_s = self._skip(self._early(time_s), time_s)
            if found:
                return True
            if keyframe_s is not None:
                return self._seek(keyframe_s) and self._skip(keyframe_s, time_s)[0]
        return False

    def _seek(self, time_s: float) -> bool:
        guide = self._streams[0]
        assert guide.time_base is not None
        # Half a tick more, as a keyframe's own time was rounded to a float.
        stamp = math.floor((time_s + self._start_s) / guide.time_base + 0.5)
        try:
            self._input.seek(stamp, stream=guide)
        except av.FFmpegError as error:
            log.debug("seeking failed: %s", error)
            return False
        self._packets = packets_of(self._input, self._streams)
        return True

    def _skip(self, earliest_s: float, latest_s: float) -> tuple[bool, float | None]:
        """Skip packets up to the first keyframe in `[earliest_s, latest_s]`.

        Returns:
            Whether there is one, and the time of the last keyframe that was skipped.
        """
        guide = self._streams[0].index
        others: collections.deque[Packet[Any]] = collections.deque()
        keyframe_s = None
        for packet in self._packets:
            time_s = self._time_of(packet)
            if packet.stream_index != guide:
                others.append(packet)
                while self._time_of(others[0]) < time_s - MAX_SKEW_S:
                    others.popleft()
            elif time_s > latest_s + 1e-6:
                return False, keyframe_s
            elif packet.is_keyframe:
                if time_s >= earliest_s - 1e-6:
                    belonging = [other for other in others if self._time_of(other) >= time_s - MAX_SKEW_S]
                    self._packets = itertools.chain(belonging, [packet], self._packets)
                    return True, keyframe_s
                keyframe_s = time_s
        return False, keyframe_s

    def _copy(self, until_s: float) -> bytes:
        """Hand packets to the output up to a time; returns the bytes that came out."""
        if self._output is None:
            return b""
        for packet in self._packets:
            stamp = packet.dts if packet.dts is not None else packet.pts
            assert stamp is not None
            if float(stamp * packet.time_base) - self._start_s >= until_s:
                self._packets = itertools.chain([packet], self._packets)
                return self._sink.drain()
            self._output.add(packet)
        self._output.finish()
        self._output = None
        return self._sink.drain()

    def _end_run(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.finish()
        self._sink.drain()
        self._head = b""
