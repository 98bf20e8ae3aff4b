"""Whether a finished clip plays, looked at where clips go wrong: all its packets, and the pictures and the sound at its
start, its end and where copied pictures follow on new ones."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from av import AudioFrame, VideoFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.boxes import index_is_in_front
from kick_clip_generator.media.h264 import IDR, Framing, kind_of
from kick_clip_generator.media.probe import best_streams, open_media, start_of
from kick_clip_generator.media.survey import EDGE_S, KEYFRAME_SEARCH_S

SYNC_S = 0.02
"""Sound and picture start and end this close to where they should, and so to each other."""

# What is decoded at either end, and to both sides of the seam.
EDGE_DECODED_S = 1.0
SEAM_DECODED_S = 0.5
# A picture that stands still for so long at an end, where the source's does not, is frozen.
STILL_S = 0.5

# In levels of luma, on every eighth pixel of every eighth row. The source must differ by far, for encoding smooths
# noise and shifts what is nearly black.
STEP_PX = 8
BLACK_LEVEL, LIT_LEVEL = 32, 48
STILL_LEVELS, MOVING_LEVELS = 0.1, 2.0

# What browsers show; any more bits or colors they may not.
PLAIN_FORMATS = frozenset({"yuv420p", "yuvj420p"})

# Any error counts, where a player would show gray blocks. Deblocking is left out, which finds the same errors in 0.8 of
# the time (1080p, 20 s: 4.8 CPU-s for 5.9).
STRICT_OPTIONS = {"err_detect": "explode", "skip_loop_filter": "all"}
LENIENT_OPTIONS = {"skip_loop_filter": "all"}

Luma = NDArray[np.uint8]


def check_clip(
    path: Path,
    *,
    duration_s: float,
    has_video: bool,
    has_audio: bool,
    video_s: float = math.nan,
    audio_s: float = math.nan,
    seam_s: float = math.nan,
    source: Path | None = None,
    start_s: float = 0.0,
) -> None:
    """Read all of a clip and decode its ends and its seam.

    Args:
        path: the clip, MP4 or M4A whatever its suffix.
        duration_s: how long it should be, see `CutResult`; to a frame of its picture.
        has_video, has_audio: what it must hold.
        video_s, audio_s: where these should end; NaN: at `duration_s`.
        seam_s: where copied pictures follow on new ones; NaN: nowhere.
        source: what it was cut from: where that is black or still, so may the clip be. None: the clip may be.
        start_s: where in the source it starts, relative to the container's start.

    Raises:
        MediaError: names what is wrong.
    """
    if not index_is_in_front(path):
        raise MediaError(
            f"The clip {path.name} has no index in front of its media, so it can't be played while it loads."
        )
    tracks = _Tracks.read(path, has_video=has_video, has_audio=has_audio)
    end_s = max(tracks.video_end_s, tracks.audio_end_s)
    if abs(end_s - duration_s) > max(tracks.frame_s, SYNC_S):
        raise MediaError(f"The clip {path.name} is {end_s:.2f} s long where {duration_s:.2f} s were cut.")
    for medium, is_s, should_s, slack_s in (
        ("video", tracks.video_end_s, video_s, tracks.frame_s),
        ("audio", tracks.audio_end_s, audio_s, SYNC_S),
    ):
        if has_video if medium == "video" else has_audio:
            # Where the source ends early or pauses, its last picture may stay to the end.
            should_s = duration_s if math.isnan(should_s) else max(should_s, min(is_s, duration_s))
            _near(path, medium, "ends", is_s, should_s, slack_s)
    last_s = max(0.0, end_s - EDGE_DECODED_S)
    first = _Stretch.decoded(path, tracks, 0.0, min(EDGE_DECODED_S, last_s) if last_s else math.inf)
    begins_s = {"video": min(tracks.shown_s, default=math.nan), "audio": tracks.audio_begin_s}
    for medium, wanted in (("video", has_video), ("audio", has_audio)):
        if wanted:
            _near(path, medium, "starts", first.starts_s.get(medium, begins_s[medium]), 0.0, SYNC_S)
    if not math.isnan(seam_s):
        _Stretch.decoded(path, tracks, max(0.0, seam_s - SEAM_DECODED_S), seam_s + SEAM_DECODED_S)
    last = _Stretch.decoded(path, tracks, last_s, math.inf) if last_s else first
    if has_video:
        _alive(path, "first", _at_start(first.pictures), source, start_s)
        _alive(path, "last", _at_end(last.pictures), source, start_s + tracks.video_end_s)


def _near(path: Path, medium: str, what: str, is_s: float, should_s: float, tolerance_s: float) -> None:
    if math.isnan(is_s):
        raise MediaError(f"The clip {path.name} holds no {medium} that can be decoded.")
    # Times were rounded to ticks.
    if abs(is_s - should_s) > tolerance_s + 1e-3:
        raise MediaError(f"The {medium} of the clip {path.name} {what} at {is_s:.2f} s, not at {should_s:.2f} s.")


@dataclass(slots=True)
class _Tracks:
    """What the packets say: when each picture is shown, and where the media begin and end.

    Attributes:
        shown_s: of every picture that is shown, sorted.
        frame_s: the longest of the last pictures.
    """

    shown_s: list[float] = field(default_factory=list)
    frame_s: float = 0.0
    video_end_s: float = -math.inf
    audio_end_s: float = -math.inf
    audio_begin_s: float = math.nan

    @classmethod
    def read(cls, path: Path, *, has_video: bool, has_audio: bool) -> _Tracks:
        tracks = cls()
        lengths_s: dict[float, float] = {}
        with open_media(path) as container:
            audio, video = best_streams(container)
            if (has_video and video is None) or (has_audio and audio is None):
                raise MediaError(f"The clip {path.name} has no {'audio' if audio is None else 'video'} stream.")
            streams = [stream for stream, wanted in ((video, has_video), (audio, has_audio)) if stream and wanted]
            if isinstance(streams[0], VideoStream) and streams[0].codec_context.pix_fmt not in PLAIN_FORMATS:
                what = streams[0].codec_context.pix_fmt or "of an unknown form"
                raise MediaError(f"The pictures of the clip {path.name} are {what}, which browsers don't show.")
            for packet in container.demux(*streams):
                if not packet.size:
                    continue
                if packet.is_corrupt or packet.pts is None:
                    raise MediaError(f"The clip {path.name} is damaged at {max(tracks.shown_s, default=0.0):.1f} s.")
                if packet.is_discard:
                    continue
                begin_s, length_s = (
                    float(packet.pts * packet.time_base),
                    float((packet.duration or 0) * packet.time_base),
                )
                if isinstance(packet.stream, VideoStream):
                    lengths_s[begin_s] = length_s
                else:
                    tracks.audio_begin_s = begin_s if math.isnan(tracks.audio_begin_s) else tracks.audio_begin_s
                    tracks.audio_end_s = max(tracks.audio_end_s, begin_s + length_s)
            ends_s = {
                type(stream): float(((stream.start_time or 0) + stream.duration) * stream.time_base)
                for stream in streams
                if stream.duration and stream.time_base
            }
        # Players end a packet's sound where the edit list does.
        tracks.audio_end_s = min(tracks.audio_end_s, ends_s.get(AudioStream, math.inf))
        tracks.shown_s = sorted(lengths_s)
        if tracks.shown_s:
            recent = tracks.shown_s[-5:]
            # A packet's own length is that of its turn to be decoded.
            steps = [after - before for before, after in itertools.pairwise(recent)]
            tracks.frame_s = max(steps, default=lengths_s[recent[-1]])
            tracks.video_end_s = ends_s.get(VideoStream, recent[-1] + tracks.frame_s)
        return tracks


@dataclass(slots=True)
class _Stretch:
    """What decoding a part of a clip gave: where each medium starts in it, and its pictures, smaller."""

    starts_s: dict[str, float] = field(default_factory=dict)
    pictures: list[tuple[float, Luma]] = field(default_factory=list)

    @classmethod
    def decoded(cls, path: Path, tracks: _Tracks, begin_s: float, end_s: float) -> _Stretch:
        """
        Raises:
            MediaError: something in it can't be decoded, or is not shown.
        """
        found = cls()
        with open_media(path) as container:
            audio, video = best_streams(container)
            streams = [
                stream
                for stream, there in ((video, bool(tracks.shown_s)), (audio, math.isfinite(tracks.audio_end_s)))
                if stream and there
            ]
            for stream in streams:
                stream.codec_context.thread_type = "AUTO"
            if begin_s > 0:
                container.seek(round(begin_s * av.time_base), backward=True)
            for frame in _frames(container, streams):
                if frame.is_corrupt or frame.pts is None or frame.time_base is None:
                    raise MediaError(f"The clip {path.name} is damaged between {begin_s:.1f} and {end_s:.1f} s.")
                time_s = float(frame.pts * frame.time_base)
                medium = "video" if isinstance(frame, VideoFrame) else "audio"
                found.starts_s.setdefault(medium, time_s)
                if isinstance(frame, VideoFrame):
                    if time_s >= end_s:
                        break
                    if time_s >= begin_s - 1e-6:
                        found.pictures.append((time_s, _small(frame)))
                elif not tracks.shown_s and time_s >= end_s:
                    break
        wanted = sum(begin_s - 1e-6 <= time_s < end_s for time_s in tracks.shown_s)
        if len(found.pictures) != wanted:
            counts = f"{len(found.pictures)} of {wanted} pictures"
            raise MediaError(f"The clip {path.name} shows {counts} from {begin_s:.1f} s on.")
        return found


def _frames(container: InputContainer, streams: Sequence[Stream]) -> Iterator[VideoFrame | AudioFrame]:
    """All frames from where the container stands, but the pictures that belong before its first keyframe: those of an
    open GOP refer to pictures that were not read, and they are not shown.

    An H.264 decoder that begins there finds errors in all of them, so only what it calls corrupt counts.
    """
    key: int | None = None
    for packet in container.demux(*streams):
        stream = packet.stream
        if not isinstance(stream, (VideoStream, AudioStream)):
            continue
        if not stream.codec_context.is_open:
            begins_alone = not isinstance(stream, VideoStream) or stands_alone(stream, packet)
            stream.codec_context.options = STRICT_OPTIONS if begins_alone else LENIENT_OPTIONS
        if isinstance(stream, VideoStream) and key is None:
            key = packet.pts
        for frame in packet.decode():
            assert isinstance(frame, (VideoFrame, AudioFrame))
            if isinstance(frame, AudioFrame) or frame.pts is None or key is None or frame.pts >= key:
                yield frame


def stands_alone(video: VideoStream, packet: Packet[Any]) -> bool:
    """Whether nothing that follows a keyframe refers to what was before."""
    if video.codec_context.codec.canonical_name != "h264":
        return True
    try:
        nals = Framing.of(video.codec_context.extradata).split(bytes(packet))
    except ValueError:
        return True
    return any(kind_of(nal) == IDR for nal in nals)


def _small(frame: VideoFrame) -> Luma:
    plane = (frame if frame.format.name in PLAIN_FORMATS else frame.reformat(format="gray")).planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    small: Luma = rows[: frame.height : STEP_PX, : frame.width : STEP_PX].copy()
    return small


def _at_start(pictures: Sequence[tuple[float, Luma]]) -> list[Luma]:
    return [luma for time_s, luma in pictures if time_s <= pictures[0][0] + STILL_S]


def _at_end(pictures: Sequence[tuple[float, Luma]]) -> list[Luma]:
    return [luma for time_s, luma in reversed(pictures) if time_s >= pictures[-1][0] - STILL_S]


def _alive(path: Path, which: str, pictures: Sequence[Luma], source: Path | None, edge_s: float) -> None:
    """Whether an end of the clip shows what the source shows there.

    Args:
        pictures: those at the end of the clip, from there on inwards.
        edge_s: where in the source that end lies.
    """
    if source is None or not pictures:
        return
    black, still = _light(pictures[0]) < BLACK_LEVEL, _movement(pictures) < STILL_LEVELS
    if not (black or still):
        return
    theirs = _source_pictures(source, edge_s, backwards=which == "last")
    if theirs and ((black and _light(theirs[0]) > LIT_LEVEL) or (still and _movement(theirs) > MOVING_LEVELS)):
        how = "black" if black else "frozen"
        raise MediaError(f"The {which} picture of the clip {path.name} is {how}, and the source's is not.")


def _light(luma: Luma) -> float:
    """The level that all but the lightest pixels stay below."""
    return float(np.percentile(luma, 98))


def _movement(pictures: Sequence[Luma]) -> float:
    """The greatest mean difference to the first, in levels; infinite where there is nothing to compare."""
    first = pictures[0].astype(np.int16)
    return max((float(np.abs(first - other).mean()) for other in pictures[1:]), default=math.inf)


def _source_pictures(source: Path, edge_s: float, *, backwards: bool) -> list[Luma]:
    """The source's pictures from an end of the clip on inwards; none where they can't be decoded."""
    begin_s, end_s = (edge_s - STILL_S, edge_s) if backwards else (edge_s, edge_s + STILL_S)
    with contextlib.suppress(MediaError):
        for lead_s in KEYFRAME_SEARCH_S:
            pictures = list(_from(source, begin_s, lead_s, end_s))
            if pictures and pictures[0][0] <= begin_s + EDGE_S:
                # The one on screen at the begin may have appeared before.
                first = max(index for index, (time_s, _) in enumerate(pictures) if time_s <= begin_s + EDGE_S)
                chosen = [luma for _, luma in pictures[first:]]
                return chosen[::-1] if backwards else chosen
    return []


def _from(source: Path, begin_s: float, lead_s: float, end_s: float) -> Iterator[tuple[float, Luma]]:
    with open_media(source) as container:
        audio, video = best_streams(container)
        origin_s = start_of(audio, video)
        origin_s = 0.0 if math.isnan(origin_s) else origin_s
        if begin_s > lead_s:
            container.seek(round((begin_s - lead_s + origin_s) * av.time_base), backward=True)
        for frame in container.decode(video) if video is not None else ():
            if frame.time is None:
                continue
            time_s = frame.time - origin_s
            if time_s >= end_s - EDGE_S:
                return
            yield time_s, _small(frame)
