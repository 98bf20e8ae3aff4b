"""Packed audio - frames of sound without a container, as HLS has it - put into MPEG-TS, which tells the time."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Literal

import av

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.probe import open_media, packets_of

PackedFormat = Literal["aac", "mp3", "ac3"]

TS_TICK_S = Fraction(1, 90_000)


def packed_to_ts(data: bytes, form: PackedFormat, start_ticks: int) -> bytes:
    """Frames of sound as a transport stream of their own.

    Args:
        data: whole frames, without tags before them.
        form: what they are.
        start_ticks: time stamp of the first one, in 1/90000 s.

    Raises:
        MediaError: when they are no such frames.
    """
    target = io.BytesIO()
    # Time stamps as they are, one frame in each packet with a time stamp, and a counter that starts anew by right.
    options = {"mpegts_copyts": "1", "pes_payload_size": "0", "mpegts_flags": "initial_discontinuity"}
    with open_media(io.BytesIO(data), container=form) as source:
        if not source.streams.audio:
            raise MediaError(f"A piece of {form} holds no sound; the stream may be damaged.")
        sound = source.streams.audio[0]
        with av.open(target, "w", format="mpegts", options=options) as made:
            copy = made.add_stream_from_template(sound)
            at_s = Fraction(0)
            for packet in packets_of(source, [sound]):
                length_s = (packet.duration or 0) * (packet.time_base or TS_TICK_S)
                packet.stream = copy
                packet.time_base = TS_TICK_S
                packet.pts = packet.dts = start_ticks + round(at_s / TS_TICK_S)
                packet.duration = round(length_s / TS_TICK_S)
                made.mux(packet)
                at_s += length_s
    if not at_s:
        raise MediaError(f"A piece of {form} holds no whole frame; the stream may be damaged.")
    return target.getvalue()
