"""The smart cut: only the pictures before the first IDR are encoded anew, all others are copied as they are.

The new pictures have parameter sets of their own, under numbers that the source's do not use, and both stand in the
track's codec data. So each picture names the sets it was coded with, whatever a player does at the join; and the join
is an IDR, where decoders forget what came before.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import itertools
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.boxes import trim_tracks
from kick_clip_generator.media.h264 import DELIMITER, FILLER, PPS, SPS, SPS_EXTENSION, avcc, joined, kind_of, sets_in
from kick_clip_generator.media.probe import open_media, packets_of
from kick_clip_generator.media.seam import Seam
from kick_clip_generator.media.survey import Survey

# Ticks of the clip's video, as of `exact`'s.
TICK_HZ = 90_000

_MUXER = {
    "movflags": "faststart",
    # What lies before the start keeps negative times, which become an edit list.
    "use_editlist": "1",
    "avoid_negative_ts": "disabled",
    "movie_timescale": str(TICK_HZ),
    "video_track_timescale": str(TICK_HZ),
}

# Said once, in the codec data, or nothing that a player needs.
_LEFT_OUT = frozenset({SPS, PPS, SPS_EXTENSION, DELIMITER, FILLER})


class Timed(NamedTuple):
    """A packet and when it is decoded; `track` sorts packets of one instant."""

    decode_s: float
    track: int
    packet: Packet[Any]


def encoder_options(seam: Seam) -> list[str]:
    """What x264 needs to be told, so that its pictures go before the copied ones."""
    # A decoder that has seen how far pictures are out of order need not learn it anew at the join.
    order = {0: ["-bf", "0"], 1: ["-bf", "2"]}.get(seam.reordering, ["-bf", "3"])
    pyramid = "none" if seam.reordering < 2 else "normal"
    sets = f"sps-id={seam.free_number}:b-pyramid={pyramid}:log-level=error"
    return [*order, "-profile:v", seam.profile, "-level", f"{seam.level / 10:g}", "-x264-params", sets]


def write_joined(
    source: Path, found: Survey, seam: Seam, new: Path | None, target: Path, cancel: CancelToken | None = None
) -> None:
    """Write the clip: the pictures (and the sound) in `new`, then those of the source.

    Args:
        source: what is cut.
        found: of the stretch.
        seam: where to go on copying.
        new: an MP4 file of ours whose time 0 is the clip's; None where nothing had to be encoded.
        target: is overwritten; MP4 with the index in front.
        cancel: looked at with every packet.

    Raises:
        MediaError: the parts do not fit together, or the target can't be written.
        Cancelled: when the token is up.
    """
    head = _Head(new) if new is not None else _Head()
    if len(head.pictures) != seam.encoded:
        counts = f"{len(head.pictures)} of the {seam.encoded} pictures"
        raise MediaError(f"Only {counts} before the clip's first keyframe can be decoded.")
    with open_media(source) as container:
        video = container.streams[found.video]
        audio = container.streams[found.audio] if found.audio_codec else None
        parts = [_pictures(source, found, seam, head)]
        if audio is not None:
            parts.append(_copied_sound(source, found, seam) if seam.sound else head.sound())
            audio = audio if seam.sound else head.audio
        try:
            # The muxer opens the file a second time to move the index to the front, so it takes a name.
            with av.open(f"file:{os.path.abspath(target)}", "w", format="mp4", options=_MUXER) as output:
                tracks = [output.add_stream_from_template(video, opaque=True)]
                tracks[0].codec_context.extradata = avcc([*seam.sets, *head.sets])
                if audio is not None:
                    tracks.append(output.add_stream_from_template(audio, opaque=True))
                for timed in heapq.merge(*parts):
                    if cancel is not None:
                        cancel.check()
                    timed.packet.stream = tracks[timed.track]
                    output.mux_one(timed.packet)
        except (av.FFmpegError, ValueError) as error:
            if getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
                folder = os.path.dirname(os.path.abspath(target))
                raise MediaError(
                    f"The disk is full in {folder}; free some space there, or choose another folder."
                ) from error
            raise MediaError(f"The clip can't be joined: {error}.") from error
        finally:
            head.close()
    trim_tracks(target, [found.end_s - found.start_s] * len(tracks))


class _Head:
    """What was encoded anew, read into memory: a few seconds of pictures, and the sound.

    Attributes:
        pictures: when each is shown, in ticks of the clip, whether it is a keyframe, and its bytes.
        sets: their parameter sets.
        audio: the stream of the sound; None where there is none.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.pictures: list[tuple[int, bool, bytes]] = []
        self.sets: list[bytes] = []
        self.audio: AudioStream | None = None
        self._sound: list[Packet[Any]] = []
        self._opened = contextlib.ExitStack()
        if file is None:
            return
        container = self._opened.enter_context(open_media(file))
        for stream in (*container.streams.video, *container.streams.audio):
            if isinstance(stream, VideoStream):
                self.sets = sets_in(stream.codec_context.extradata)
            elif isinstance(stream, AudioStream):
                self.audio = stream
        for packet in packets_of(container, container.streams.get()):
            if packet.stream_index != (self.audio.index if self.audio is not None else -1):
                assert packet.pts is not None
                shown = round(packet.pts * packet.time_base * TICK_HZ)
                self.pictures.append((shown, packet.is_keyframe, bytes(packet)))
            else:
                self._sound.append(packet)

    def sound(self) -> Iterator[Timed]:
        for packet in self._sound:
            assert packet.dts is not None
            yield Timed(float(packet.dts * packet.time_base), 1, packet)

    def close(self) -> None:
        self._opened.close()


def _pictures(source: Path, found: Survey, seam: Seam, head: _Head) -> Iterator[Timed]:
    """All pictures of the clip, with the times of decoding counted anew over both parts."""
    shown = [time for time, _, _ in head.pictures]
    shown += [round((picture.shown * seam.tick_s - found.start_s) * TICK_HZ) for picture in seam.copied]
    order = sorted(shown)
    delay = max(turn - time for turn, time in zip(order, shown, strict=True))
    parts = itertools.chain(((key, data) for _, key, data in head.pictures), _copied_pictures(source, found, seam))
    for index, (key, data) in enumerate(parts):
        packet = Packet(data)
        packet.time_base = Fraction(1, TICK_HZ)
        packet.pts, packet.dts = shown[index], order[index] - delay
        packet.duration = order[index + 1] - order[index] if index + 1 < len(order) else seam.last_ticks(TICK_HZ)
        packet.is_keyframe = key
        yield Timed(packet.dts / TICK_HZ, 0, packet)


def _copied_pictures(source: Path, found: Survey, seam: Seam) -> Iterator[tuple[bool, bytes]]:
    left = iter(seam.copied)
    wanted = next(left, None)
    for packet in _again(source, found, found.video):
        if wanted is None:
            return
        if packet.pts == wanted.shown:
            nals = [nal for nal in seam.framing.split(bytes(packet)) if kind_of(nal) not in _LEFT_OUT]
            yield wanted.idr, joined(nals)
            wanted = next(left, None)
    if wanted is not None:
        raise MediaError(f"{source.name} changed while it was cut.")


def _copied_sound(source: Path, found: Survey, seam: Seam) -> Iterator[Timed]:
    wanted = set(seam.sound)
    index = 0
    for packet in _again(source, found, found.audio):
        if packet.pts not in wanted:
            continue
        if not index:
            stream = packet.stream
            rate_hz, length = stream.sample_rate, stream.codec_context.frame_size
            first = round((seam.sound_begin_s - found.start_s) * rate_hz)
        packet.time_base = Fraction(1, rate_hz)
        packet.pts = packet.dts = first + index * length
        packet.duration = length
        index += 1
        yield Timed(packet.pts / rate_hz, 1, packet)
        if index == len(wanted):
            return


def _again(source: Path, found: Survey, stream: int) -> Iterator[Packet[Any]]:
    """The packets of one stream from before the clip on."""
    with open_media(source) as container:
        if not math.isnan(found.seek_s):
            container.seek(round(found.seek_s * av.time_base), backward=True)
        yield from packets_of(container, [container.streams[stream]])
