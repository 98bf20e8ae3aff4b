"""Stretches of one stream, fetched one after another, become one file; nothing is decoded.

Each stretch begins with a keyframe at or before its own time, so neighbors overlap: what the later one holds is left
out of the earlier.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.probe import best_streams, open_media, packets_of, start_of
from kick_clip_generator.media.remux import MP4_CODECS

# What is decoded before the first picture shows lies before it.
HEADROOM_S = 10.0
# Clocks of stretches agree to less than a packet of sound.
SLACK_S = 0.010
# Playlists round, and a stream's first sound lies before its first picture.
SAME_CLOCK_S = 0.25


@dataclass(frozen=True, slots=True)
class Stretch:
    """A file, and the absolute time in seconds of its container's start."""

    path: Path
    offset_s: float


def append(stretches: Sequence[Stretch], target: Path, cancel: CancelToken) -> None:
    """Copy stretches in their order into `target`, whatever its suffix; it is overwritten.

    Raises:
        MediaError: one of them holds nothing, they are made differently, or the target cannot be written.
        Cancelled: when the token is up.
    """
    if not stretches:
        raise MediaError("There is nothing to join.")
    shifts_s = _shifts_s(stretches)
    zero_s = stretches[0].offset_s - HEADROOM_S
    begins_s = [_begin_s(stretch, shift_s) for stretch, shift_s in zip(stretches, shifts_s, strict=True)]
    try:
        with target.open("wb") as file, contextlib.ExitStack() as opened:
            output: Any = None
            targets: dict[str, Stream] = {}
            last_dts: dict[str, int] = {}
            for number, stretch in enumerate(stretches):
                end_s = begins_s[number + 1] if number + 1 < len(stretches) else math.inf
                with open_media(stretch.path) as container:
                    streams: dict[str, Stream] = {s.type: s for s in best_streams(container) if s is not None}
                    if output is None:
                        output = opened.enter_context(av.open(file, "w", format=_format(list(streams.values()))))
                        targets = {
                            kind: output.add_stream_from_template(stream, opaque=True)
                            for kind, stream in streams.items()
                        }
                    if streams.keys() != targets.keys():
                        raise MediaError("The stream changes between sound and picture, so it can't be kept as one.")
                    begin_s = begins_s[number] if number else -math.inf
                    for packet, at_s in _between(container, streams, shifts_s[number], begin_s, end_s):
                        cancel.check()
                        _mux(output, packet, at_s - zero_s, targets, last_dts)
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(f"The stretches of the stream can't be joined: {error}.") from error
    except OSError as error:
        raise MediaError(f"{target.name} can't be written: {error.strerror or error}.") from error


def _format(streams: Sequence[Stream]) -> str:
    return "mp4" if all(stream.codec_context.name in MP4_CODECS for stream in streams) else "matroska"


def _shifts_s(stretches: Sequence[Stretch]) -> list[float]:
    """What to add to each stretch's own time stamps. Those of one clock go by it: offsets may come from a playlist."""
    shifts_s: list[float] = []
    for stretch in stretches:
        with open_media(stretch.path) as container:
            start_s = start_of(*best_streams(container))
        shift_s = stretch.offset_s - (0.0 if math.isnan(start_s) else start_s)
        same = shifts_s and abs(shift_s - shifts_s[-1]) < SAME_CLOCK_S
        shifts_s.append(shifts_s[-1] if same else shift_s)
    return shifts_s


def _begin_s(stretch: Stretch, shift_s: float) -> float:
    """The absolute time of a stretch's first keyframe; of its first sound where it has no picture."""
    with open_media(stretch.path) as container:
        audio, video = best_streams(container)
        leading = video or audio
        if leading is None:
            raise MediaError(f"{stretch.path.name} holds neither sound nor picture.")
        for packet in packets_of(container, [leading]):
            if packet.is_keyframe and packet.pts is not None and packet.time_base is not None:
                return float(packet.pts * packet.time_base) + shift_s
    raise MediaError(f"{stretch.path.name} holds no keyframe.")


def _between(
    container: InputContainer, streams: dict[str, Stream], shift_s: float, begin_s: float, end_s: float
) -> Iterator[tuple[Packet[Any], float]]:
    """Packets of a stretch that belong to it, with their absolute time of presentation."""
    over: set[str] = set()
    begun: set[str] = set()
    for packet in packets_of(container, list(streams.values())):
        kind = packet.stream.type
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None or packet.time_base is None or kind in over:
            continue
        at_s = float(at * packet.time_base) + shift_s
        # Pictures go by whole groups: those that are shown before a keyframe may be decoded behind it.
        opens = kind == "audio" or packet.is_keyframe
        if opens and at_s >= end_s - SLACK_S:
            over.add(kind)
            continue
        if kind not in begun:
            if not opens or at_s < begin_s - SLACK_S:
                continue
            begun.add(kind)
        yield packet, at_s


def _mux(output: Any, packet: Packet[Any], at_s: float, targets: dict[str, Stream], last_dts: dict[str, int]) -> None:
    kind = packet.stream.type
    assert packet.time_base is not None
    late = 0 if packet.dts is None or packet.pts is None else packet.pts - packet.dts
    pts = round(at_s / packet.time_base)
    # Muxers refuse a clock that steps back, and damaged media have such.
    dts = max(pts - late, last_dts.get(kind, pts - late - 1) + 1)
    last_dts[kind] = dts
    packet.dts, packet.pts = dts, max(pts, dts)
    packet.stream = targets[kind]
    output.mux(packet)
