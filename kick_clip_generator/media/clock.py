"""Where a byte stream stands in time, read from its first bytes.

Two decoders that start at different places of one stream must sample the same instants. The containers make that harder
than it looks: MPEG-TS counts in 1/90000 s, in which samples of 44.1 kHz do not fall on whole ticks, and Matroska in
milliseconds; so one packet's time stamp tells its first sample's number only to ±1, or ±22. The rounding errors of many
packets, whose distance in samples is known, narrow that down to far less than a sample.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.probe import best_streams, open_media, packets_of, start_of

# Rounding to 1/90000 s has 49 phases at 44.1 kHz and to 1/1000 s 441 (10 s of AAC): 20 s shows all of them.
PHASE_SPAN_S = 20.0

# Time stamps of one unbroken stream lie so close to its sample count; Matroska's milliseconds make a spread of 1 ms.
ROUNDING_S = 0.0025

# More is not waited for: a stream whose packets are not among so many bytes is taken not to be there.
HEAD_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StreamClock:
    """The zero points of one byte stream, in its own time stamps.

    Attributes:
        start_s: start of the container (the lower start of both streams), exact.
        has_audio, has_video: which streams it holds.
        sample_rate_hz: 0 without audio.
        first_sample: number of the first packet's first sample as ffmpeg will count it: its time stamp × sample rate,
            rounded.
        first_sample_refined: the same from all packets at hand; equal (modulo whole packets) for every run over a
            stream, wherever it starts.
    """

    start_s: float
    has_audio: bool
    has_video: bool
    sample_rate_hz: int = 0
    first_sample: int = 0
    first_sample_refined: float = 0.0


def read_clock(head: bytes, container: str, *, final: bool, span_s: float = PHASE_SPAN_S) -> StreamClock | None:
    """Read the clock from the first bytes of a stream.

    Args:
        head: from the stream's first byte on.
        container: libavformat's demuxer, e.g. "mpegts".
        final: there are no more bytes than these.
        span_s: how much of the audio to look at where its time stamps turn out to be rounded.

    Returns:
        None when more bytes are needed.

    Raises:
        MediaError: there is no more to wait for (`final`, or `HEAD_BYTES`), and the bytes hold no media.
    """
    enough = final or len(head) >= HEAD_BYTES
    try:
        with open_media(_Forward(head), container=container) as opened:
            listed = [*opened.streams.audio, *opened.streams.video]
            audio, video = best_streams(opened)
            found: list[Stream] = [stream for stream in (audio, video) if stream is not None]
            if not enough and (len(found) < len(listed) or any(stream.start_time is None for stream in found)):
                return None
            start_s = start_of(*found)
            if math.isnan(start_s):
                raise MediaError("The stream holds no media with time stamps.")
            if audio is None:
                return StreamClock(start_s, False, video is not None)
            stamps = _Stamps.read(opened, audio, span_s)
            if not enough and stamps.rounded and stamps.span_s < span_s:
                return None
            first, refined = stamps.first, stamps.first_refined
            return StreamClock(start_s, True, video is not None, audio.sample_rate, first, refined)
    except MediaError:
        if enough:
            raise
        return None


class _Forward:
    """Bytes that can't be positioned, as a pipe can't: libavformat then reads them as ffmpeg will."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def read(self, size: int, /) -> bytes:
        part = bytes(self._data[self._at : self._at + size])
        self._at += len(part)
        return part


class _Stamps:
    """The time stamps of an audio stream's first packets.

    Packet k begins at sample n + (samples of the packets before it); its time stamp is that, rounded. So the greatest
    excess of a stamp over those samples is n plus a constant of the stream, once every rounding phase was seen.

    Attributes:
        span_s: from the first to the last.
        rounded: they do not fall on whole samples of an unbroken stream.
        first, first_refined: `first_sample` and `first_sample_refined` of the clock.
    """

    def __init__(self, stamps_pts: Sequence[int], lengths: Sequence[int], rate: int, samples_per_pts: Fraction) -> None:
        # Counted in parts of a sample, in which all is whole, medians too: fractions would take ten times as long.
        parts = 2 * samples_per_pts.denominator
        stamps = [pts * 2 * samples_per_pts.numerator for pts in stamps_pts]
        self.span_s = (stamps[-1] - stamps[0]) / parts / rate if stamps else 0.0
        self.first = (2 * stamps[0] + parts) // (2 * parts) if stamps else 0
        # Not all packets tell their length, but most are alike (Opus); where they are not (Vorbis), the first stamp has
        # to do.
        steps = [after - before for before, after in itertools.pairwise(stamps)]
        usual = int(statistics.median(steps)) if steps else 0
        slack = max(ROUNDING_S * rate, 2 * float(samples_per_pts)) * parts
        excess = stamps[:1]
        count = 0
        for stamp, length in zip(stamps[1:], lengths, strict=False):
            count += length * parts or usual
            # What comes after a gap says nothing of the start.
            if abs(stamp - count - excess[-1]) > slack:
                break
            excess.append(stamp - count)
        spread = max(excess) - min(excess) if excess else 0
        self.rounded = spread > 0
        # More spread than rounding makes is a clock that drifts; then only the first stamp speaks of the start.
        self.first_refined = (max(excess) if spread <= slack else excess[0]) / parts if excess else 0.0

    @classmethod
    def read(cls, opened: InputContainer, audio: AudioStream, span_s: float) -> Self:
        """Those of the next packets, for `span_s` or to the end of the bytes."""
        assert audio.time_base is not None
        samples_per_pts = audio.time_base * audio.sample_rate
        stamps: list[int] = []
        lengths: list[int] = []
        for packet in packets_of(opened, [audio]):
            if packet.pts is not None:
                stamps.append(packet.pts)
                # In a clock of samples a packet knows its exact length.
                exact = packet.duration if samples_per_pts == 1 else None
                lengths.append(exact or audio.codec_context.frame_size)
                if (stamps[-1] - stamps[0]) * audio.time_base > span_s:
                    break
        return cls(stamps, lengths, audio.sample_rate, samples_per_pts)
