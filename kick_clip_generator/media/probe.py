"""What a media file or byte stream holds: opened as plain bytes, with a whitelist of containers.

Files come from strangers. A "video.mp4" may be a playlist, a concat script or an SDP file that names other files and
hosts; so libavformat gets only bytes (never a path or URL that it would interpret), only containers that hold their own
media, and no protocol.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from kick_clip_generator.core.errors import MediaError

log = logging.getLogger(__name__)

# Demuxers that read other files (hls, dash, concat, imf, sdp, image2, …) are left out.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,nut,avi,flv,ogg,wav,w64,flac,mp3,aac,ac3,aiff,caf,asf,h264,hevc"
)

# libavformat reads a Python file through calls of this size; 32 KiB, PyAV's default, costs more calls than media need.
BUFFER_BYTES = 256 * 1024


class Readable(Protocol):
    """A file object: only `read` is needed; with `seek` and `tell` it can be positioned."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a container says of itself.

    Attributes:
        container: libavformat's name, e.g. "mpegts" or "mov,mp4,m4a,3gp,3g2,mj2".
        duration_s: NaN when not known.
        start_s: time stamp of the first picture or sample (the lower of both streams), as the file counts; exact
            (pts × time base), and the zero of all times "relative to the container's start".
        has_audio, has_video: a cover picture is no video.
        width_px, height_px: 0 without video.
        fps: average frame rate, NaN when not known.
        video_codec, audio_codec: libavcodec's names, empty without such a stream.
    """

    container: str
    duration_s: float
    start_s: float
    has_audio: bool
    has_video: bool
    width_px: int = 0
    height_px: int = 0
    fps: float = math.nan
    video_codec: str = ""
    audio_codec: str = ""


def probe(file: str | Path | Readable) -> MediaInfo:
    """Read what a file holds.

    Args:
        file: a local path (never taken for a URL, an option or a protocol, whatever its name) or a file object, which
            is left open.

    Raises:
        MediaError: when it can't be read, is empty, or holds no audio or video.
    """
    with open_media(file) as container:
        return describe(container)


@contextlib.contextmanager
def open_media(
    file: str | Path | Readable, *, container: str | None = None, options: dict[str, str] | None = None
) -> Iterator[InputContainer]:
    """Open media for reading; closed with the context, a file object that was passed in stays open.

    Args:
        file: as for `probe`.
        container: demuxer to use; None: found by looking, among `FORMATS`.
        options: more options of libavformat.

    Raises:
        MediaError: as `probe`, also when reading fails inside the context.
    """
    name = "The media" if not isinstance(file, (str, Path)) else Path(file).name
    with contextlib.ExitStack() as stack:
        try:
            readable = stack.enter_context(open(file, "rb")) if isinstance(file, (str, Path)) else file
        except (OSError, ValueError) as error:
            raise MediaError(f"{name} can't be opened: {getattr(error, 'strerror', None) or error}.") from None
        try:
            opened = stack.enter_context(
                av.open(
                    readable,
                    "r",
                    format=container,
                    # "none" is no protocol's name: nothing but the bytes at hand can be read.
                    options={"format_whitelist": FORMATS, "protocol_whitelist": "none", **(options or {})},
                    buffer_size=BUFFER_BYTES,
                    metadata_errors="replace",
                )
            )
            yield opened
        except (av.FFmpegError, OSError) as error:
            raise MediaError(f"{name} can't be read as audio or video: {_reason(error)}.") from error


def best_streams(container: InputContainer) -> tuple[AudioStream | None, VideoStream | None]:
    """The audio and the video stream to read, None where there is none that a decoder is known for."""
    audio = [s for s in container.streams.audio if s.codec_context is not None and s.sample_rate > 0]
    video = [
        s
        for s in container.streams.video
        if s.codec_context is not None and s.width > 0 and not s.disposition & Disposition.attached_pic
    ]
    return (
        # Ties go to the first stream, as ffmpeg's own choice does.
        max(audio, key=lambda s: (s.channels, -s.index), default=None),
        max(video, key=lambda s: (s.width * s.height, -s.index), default=None),
    )


def packets_of(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
    """The packets of some streams that have a time stamp, up to the end or to where the media are damaged."""
    try:
        for packet in container.demux(list(streams)):
            # Those without a time stamp are the demuxer's sign that a stream has ended.
            if packet.size and (packet.pts is not None or packet.dts is not None):
                yield packet
    except av.FFmpegError as error:
        log.info("the media end early: %s", error.strerror or error)
    except IndexError:
        # PyAV 18, at the end of media in which streams turned up after they had been opened.
        log.debug("streams turned up late")


def start_of(*streams: Stream | None) -> float:
    """The lowest start of streams in seconds, exact where libavformat's own figure is rounded to microseconds.

    NaN when no stream knows its start.
    """
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in streams
        if stream is not None and stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts, default=math.nan)


def describe(container: InputContainer) -> MediaInfo:
    """The facts of an open container.

    Raises:
        MediaError: when it holds neither audio nor video.
    """
    audio, video = best_streams(container)
    if audio is None and video is None:
        raise MediaError("The media holds neither audio nor video that can be decoded; use another file.")
    start_s = start_of(audio, video)
    return MediaInfo(
        container=container.format.name,
        duration_s=container.duration / av.time_base if container.duration and container.duration > 0 else math.nan,
        start_s=0.0 if math.isnan(start_s) else start_s,
        has_audio=audio is not None,
        has_video=video is not None,
        width_px=video.width if video is not None else 0,
        height_px=video.height if video is not None else 0,
        fps=float(video.average_rate) if video is not None and video.average_rate else math.nan,
        video_codec=video.codec_context.name if video is not None else "",
        audio_codec=audio.codec_context.name if audio is not None else "",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "it is empty, or was cut off"
    text = getattr(error, "strerror", None) or str(error)
    return str(text).rstrip(".").lower() or type(error).__name__
