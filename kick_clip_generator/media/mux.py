"""Writes packets that were read elsewhere into another container, unchanged but for their time stamps."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.stream import Stream

from kick_clip_generator.core.errors import MediaError


class Sink:
    """Collects what libavformat writes; it can't seek, as a pipe can't."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._parts.append(data)
        return len(data)

    def drain(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


class Output:
    """One muxer that takes packets of the input's streams."""

    def __init__(self, file: object, name: str, streams: Sequence[Stream], shift_s: int) -> None:
        # Nothing reads NUT's index behind a pipe, and on damaged time stamps writing it aborts the whole program.
        options = {"write_index": "0"} if name == "nut" else {}
        self._container = av.open(file, "w", format=name, container_options=options)
        try:
            # opaque: copy the decoder's parameters; without it PyAV asks for an encoder of that name.
            self._streams = {s.index: self._container.add_stream_from_template(s, opaque=True) for s in streams}
            for stream in self._streams.values():
                # libavformat's NUT muxer garbles MP3 of a known constant bit rate: it takes the frame headers, which it
                # leaves out to save space, to be those of that rate.
                stream.codec_context.bit_rate = 0
            self._container.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"The media can't be copied to {name}: {error}.") from error
        self._inputs = streams
        self._shift_s = shift_s
        self._last_dts: dict[int, int] = {}

    @classmethod
    def fits(cls, name: str, streams: Sequence[Stream]) -> bool:
        """Whether a container takes the codecs of streams."""
        try:
            cls(Sink(), name, streams, 0).finish()
        except MediaError:
            return False
        return True

    def add(self, packet: Packet[Any]) -> None:
        """Write one packet, its time stamps less the shift.

        Raises:
            MediaError: the muxer refuses it.
        """
        index = packet.stream_index
        shift = round(self._shift_s / packet.time_base)
        dts = packet.dts if packet.dts is not None else packet.pts
        pts = packet.pts if packet.pts is not None else packet.dts
        assert dts is not None and pts is not None
        # Muxers refuse a clock that steps back; damaged and joined files have such.
        dts = max(dts - shift, self._last_dts.get(index, dts - shift - 1) + 1)
        self._last_dts[index] = dts
        packet.dts, packet.pts = dts, max(pts - shift, dts)
        packet.stream = self._streams[index]
        try:
            self._container.mux_one(packet)
        except av.FFmpegError as error:
            raise MediaError(f"The media can't be copied: {error.strerror or error}.") from error

    def start_s(self) -> float:
        """Where the input's start lies in the output's time stamps, rounded as the muxer rounds.

        Without the rounding a run from the start would seem to begin 4 µs after it, and lose its first tick.
        """
        starts = []
        for stream in self._inputs:
            base, time_base = stream.time_base, self._streams[stream.index].time_base
            if stream.start_time is not None and base is not None and time_base is not None:
                stamp = (stream.start_time - round(self._shift_s / base)) * base / time_base
                starts.append(float(math.floor(stamp + Fraction(1, 2)) * time_base))
        return min(starts, default=-float(self._shift_s))

    def finish(self) -> None:
        """Write what the muxer still holds."""
        with contextlib.suppress(av.FFmpegError):
            self._container.close()
