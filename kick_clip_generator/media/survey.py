"""What a media file holds around a stretch that is to be cut: where to seek, which streams, where it really ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.probe import best_streams, open_media, packets_of, start_of

# MPEG-TS, MPEG-PS and the like have no index: ffmpeg's search by time lands at *some* packet near the target, often
# past the keyframe, and the picture stays missing until the next one. Half a second ahead is more than any reordering.
UNINDEXED_LEAD_S = 0.5
INDEXED_DEMUXERS = frozenset({"mov", "matroska"})

# How far before the start to look for a keyframe: an index leads to it at once; else a usual, then any distance.
KEYFRAME_SEARCH_S = (0.0, 10.0, math.inf)
# How far audio and video of the same instant may lie apart in a file.
INTERLEAVING_S = 5.0

# Timestamps are rounded to 1 ms in Matroska; a frame that close to an edge is on it.
EDGE_S = 0.001

# Transfer characteristics of high dynamic range (ITU-T H.273): PQ and HLG.
HDR_TRANSFERS = (16, 18)


@dataclass(slots=True)
class Survey:
    """What lies in a stretch, on the clock of the container; a codec is empty where its medium has nothing there.

    Attributes:
        origin_s: the container's start, the zero of the caller's times.
        start_s: where the clip starts: as asked, or the first keyframe where the source has none before.
        end_s: where it ends: as asked, or the end of the media.
        shown_s: when the frame appeared that is on screen at `start_s`.
        seek_s: where ffmpeg begins to read; NaN: at the beginning, without a seek.
        video, audio: which streams.
        video_end_s, audio_end_s: where each medium ends in the clip; NaN where it has nothing there.
    """

    origin_s: float
    start_s: float
    end_s: float
    shown_s: float
    seek_s: float
    video: int = -1
    audio: int = -1
    video_codec: str = ""
    audio_codec: str = ""
    video_end_s: float = math.nan
    audio_end_s: float = math.nan
    channels: int = 2
    hdr: bool = False


def survey(source: Path, start_s: float, end_s: float, *, has_video: bool, has_audio: bool) -> Survey:
    """Read the packets around a stretch (decoding nothing): where to seek, and what there is.

    Raises:
        MediaError: when that fails, or there is nothing.
    """
    for lead_s in KEYFRAME_SEARCH_S:
        with open_media(source) as container:
            audio, video = best_streams(container)
            origin_s = start_of(audio, video)
            origin_s = 0.0 if math.isnan(origin_s) else origin_s
            # Seeking to the very start would lose it where there is no index.
            if start_s > lead_s:
                container.seek(round((start_s - lead_s + origin_s) * av.time_base), backward=True)
            found = _look(
                container,
                video if has_video else None,
                audio if has_audio else None,
                origin_s,
                origin_s + start_s,
                origin_s + end_s,
            )
        if video is None or not has_video or (found.video_codec and found.start_s == origin_s + start_s):
            break
    if not found.video_codec and not found.audio_codec:
        raise MediaError(f"{source.name} has no media at {start_s:.1f} s, where the clip should start.")
    return found


def _look(
    container: InputContainer,
    video: Stream | None,
    audio: Stream | None,
    origin_s: float,
    start_s: float,
    end_s: float,
) -> Survey:
    """What the packets say, from where the container stands."""
    packets = list(_packets(container, [stream for stream in (video, audio) if stream is not None], end_s))
    pictures = [packet for packet in packets if video is not None and packet.stream == video.index]
    keys = [packet.begin_s for packet in pictures if packet.key]
    key_s = max((key for key in keys if key <= start_s + EDGE_S), default=min(keys, default=math.inf))
    if key_s < end_s:
        # Nothing before the first keyframe can be shown.
        start_s = max(start_s, key_s)
    inside = [packet for packet in packets if packet.end_s > start_s + EDGE_S]
    heard = {packet.stream for packet in inside}
    found = Survey(
        origin_s=origin_s,
        start_s=start_s,
        end_s=max((min(packet.end_s, end_s) for packet in inside), default=start_s),
        shown_s=start_s,
        seek_s=start_s - UNINDEXED_LEAD_S,
    )
    if isinstance(video, VideoStream) and video.index in heard and key_s < end_s:
        found.video = video.index
        found.video_codec = video.codec_context.codec.canonical_name
        found.hdr = video.codec_context.color_trc in HDR_TRANSFERS
        found.video_end_s = max(min(p.end_s, end_s) for p in inside if p.stream == video.index)
        found.shown_s = max(p.begin_s for p in pictures if key_s <= p.begin_s <= start_s + EDGE_S)
        indexed = container.format.name.split(",")[0] in INDEXED_DEMUXERS
        found.seek_s = key_s - (0.0 if indexed else UNINDEXED_LEAD_S)
    if isinstance(audio, AudioStream) and audio.index in heard:
        found.audio = audio.index
        found.audio_codec = audio.codec_context.codec.canonical_name
        found.audio_end_s = max(min(p.end_s, end_s) for p in inside if p.stream == audio.index)
        found.channels = min(2, audio.codec_context.layout.nb_channels)
    if found.seek_s <= max(origin_s, 0.0):
        found.seek_s = math.nan
    return found


class _Packet(NamedTuple):
    """A compressed frame: the index of its stream, when it is shown, whether it is a keyframe."""

    stream: int
    begin_s: float
    end_s: float
    key: bool


def _packets(container: InputContainer, streams: Sequence[Stream], end_s: float) -> Iterator[_Packet]:
    """Packets that are shown before `end_s`, from where the container stands."""
    going = {stream.index for stream in streams}
    for packet in packets_of(container, streams) if streams else ():
        stamps = [stamp for stamp in (packet.pts, packet.dts) if stamp is not None]
        tick_s = float(packet.time_base)
        begin_s, decode_s = stamps[0] * tick_s, stamps[-1] * tick_s
        if decode_s >= end_s:
            # The other medium may lag behind in the file, but not for ever.
            going.discard(packet.stream_index)
            if not going or decode_s >= end_s + INTERLEAVING_S:
                return
        elif begin_s < end_s - EDGE_S:
            length_s = (packet.duration or 0) * tick_s
            yield _Packet(packet.stream_index, begin_s, begin_s + length_s, packet.is_keyframe)
