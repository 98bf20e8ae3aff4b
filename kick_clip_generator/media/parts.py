"""What the parts of a compound hold, and the one frame, frame rate and clock that all of them are brought to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.probe import best_streams, open_media, start_of

# A frame rate beyond is a damaged header; a clip without one gets the usual.
HIGHEST_FPS = 240
USUAL_FPS = Fraction(30)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a media file.

    Attributes:
        start_s, end_s: in the file, from the start of its media; an end behind that of the media means to the end.
        title: the name of its chapter; may hold any character.
    """

    path: Path
    start_s: float = 0.0
    end_s: float = math.inf
    title: str = ""

    @property
    def whole(self) -> bool:
        return self.start_s <= 0.0 and math.isinf(self.end_s)


@dataclass(frozen=True, slots=True)
class Measured:
    """A part and what its file says.

    Attributes:
        origin_s: the container's start, the zero of the part's times.
        duration_s: of the part.
        video, audio: which streams; -1 where the part has none.
        width_px, height_px: as it is shown: turned, with square pixels.
        turned: whether players turn it.
        fps: 0 when not known.
    """

    part: Part
    origin_s: float
    duration_s: float
    video: int = -1
    audio: int = -1
    width_px: int = 0
    height_px: int = 0
    fps: Fraction = Fraction(0)
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """What all parts are brought to; no width where none of them has a picture."""

    width_px: int
    height_px: int
    fps: Fraction


def measure(part: Part) -> Measured:
    """Read the head of a part's file and its first picture.

    Raises:
        MediaError: it can't be read, or has nothing in that stretch.
    """
    with open_media(part.path) as container:
        audio, video = best_streams(container)
        if audio is None and video is None:
            raise MediaError(f"{part.path.name} holds neither audio nor video that can be decoded.")
        origin_s = start_of(audio, video)
        origin_s = 0.0 if math.isnan(origin_s) else origin_s
        length_s = (container.duration or 0) / av.time_base
        start_s, end_s = max(0.0, part.start_s), min(part.end_s, length_s)
        if end_s <= start_s:
            raise MediaError(f"{part.path.name} is {length_s:.2f} s long and has nothing from {start_s:.2f} s on.")
        ends_s = {s.index: _end_of(s, origin_s + length_s) for s in (audio, video) if s is not None}
        there = {index for index, until_s in ends_s.items() if until_s > origin_s + start_s}
        measured = Measured(
            part,
            origin_s,
            end_s - start_s,
            audio=audio.index if audio is not None and audio.index in there else -1,
        )
        if video is None or video.index not in there:
            return measured
        return _with_picture(measured, container, video)


def common_frame(parts: Sequence[Measured]) -> Frame:
    """The largest picture of all parts, made even, and their highest frame rate."""
    largest = max(parts, key=lambda part: part.width_px * part.height_px)
    fps = max((part.fps for part in parts), default=Fraction(0)) or USUAL_FPS
    return Frame(largest.width_px + largest.width_px % 2, largest.height_px + largest.height_px % 2, fps)


def _end_of(stream: Stream, container_end_s: float) -> float:
    if stream.duration is None or stream.time_base is None:
        return container_end_s
    return float(((stream.start_time or 0) + stream.duration) * stream.time_base)


def _with_picture(measured: Measured, container: InputContainer, video: VideoStream) -> Measured:
    first = next(container.decode(video), None)
    if first is None:
        return measured
    width, height = round(first.width * (video.sample_aspect_ratio or 1)), first.height
    if first.rotation % 180:
        width, height = height, width
    fps = Fraction(video.average_rate or 0)
    return replace(
        measured,
        video=video.index,
        width_px=width,
        height_px=height,
        fps=fps if fps <= HIGHEST_FPS else Fraction(0),
        turned=first.rotation != 0,
    )
