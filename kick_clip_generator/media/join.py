"""Brings the picture of one file and the sound of another together in one file, nothing decoded."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.probe import best_streams, open_media, packets_of, start_of
from kick_clip_generator.media.remux import MP4_CODECS

# Packets that are decoded before the first picture shows lie before it, and no container likes negative time stamps.
HEADROOM_S = 10.0


class _Timed(NamedTuple):
    decode_s: float
    track: int
    packet: Packet[Any]


def join(picture: Path, sound: Path, target: Path, *, sound_later_s: float) -> None:
    """Copy the video of one file and the audio of another into `target`, in step.

    Args:
        picture: any sound in it is left out.
        sound: any picture in it is left out.
        target: is overwritten, whatever its suffix.
        sound_later_s: how much later than the picture's container start the sound's lies; may be negative.

    Raises:
        MediaError: one of them has nothing to give, or the target cannot be written.
    """
    with open_media(picture) as pictures, open_media(sound) as sounds:
        _, video = best_streams(pictures)
        audio, _ = best_streams(sounds)
        if video is None or audio is None:
            raise MediaError(f"{(picture if video is None else sound).name} does not hold what it should.")
        # On one clock; it begins with the earlier of the two.
        zero_s = min(0.0, sound_later_s) - HEADROOM_S
        inputs = ((pictures, video, -zero_s), (sounds, audio, sound_later_s - zero_s))
        try:
            with target.open("wb") as file:
                _copy(file, inputs)
        except OSError as error:
            raise MediaError(f"{target.name} can't be written: {error.strerror or error}.") from error


def _copy(file: object, inputs: tuple[tuple[InputContainer, Stream, float], ...]) -> None:
    streams = [stream for _, stream, _ in inputs]
    # As `Remuxer.write_span`: whoever cuts has to seek, and NUT without its index cannot.
    name = "mp4" if all(stream.codec_context.name in MP4_CODECS for stream in streams) else "matroska"
    with av.open(file, "w", format=name) as output:
        try:
            targets = [output.add_stream_from_template(stream, opaque=True) for stream in streams]
            for timed in heapq.merge(*(_timed(track, *given) for track, given in enumerate(inputs))):
                timed.packet.stream = targets[timed.track]
                output.mux_one(timed.packet)
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"Picture and sound can't be joined: {error}.") from error


def _timed(track: int, container: InputContainer, stream: Stream, later_s: float) -> Iterator[_Timed]:
    """A stream's packets on the common clock."""
    start_s = start_of(*best_streams(container))
    shift_s = later_s - (0.0 if math.isnan(start_s) else start_s)
    last_dts: int | None = None
    for packet in packets_of(container, [stream]):
        dts = packet.dts if packet.dts is not None else packet.pts
        pts = packet.pts if packet.pts is not None else packet.dts
        assert dts is not None and pts is not None
        shift = round(shift_s / packet.time_base)
        # Muxers refuse a clock that steps back, and damaged media have such.
        dts = dts + shift if last_dts is None else max(dts + shift, last_dts + 1)
        last_dts = dts
        packet.dts, packet.pts = dts, max(pts + shift, dts)
        yield _Timed(float(dts * packet.time_base), track, packet)
