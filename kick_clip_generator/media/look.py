"""A closer look at a stretch of media: motion vectors and faces, from one decode of its reference pictures."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from kick_clip_generator.core.timeline import TICK_S, FloatArray
from kick_clip_generator.media.faces import PICTURE_WIDTH_PX, FaceFinder, cascade_path
from kick_clip_generator.media.motion_vectors import VectorMotion, export_vectors
from kick_clip_generator.media.probe import Readable, best_streams, open_media, packets_of, start_of

log = logging.getLogger(__name__)

# Pictures that no other refers to cost half of the decode and tell little that is new at two ticks a second.
SPARING = "NONREF"


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, one value per tick, NaN where nothing was; each of shape `(ticks,)`.

    Attributes:
        vector_speed: mean of the pictures', in picture widths per second, see `motion_vectors`.
        vector_coherence: mean of the pictures' in which something moves, 0-1.
        face_count, face_area: of the first picture of each tick, see `faces`.
    """

    vector_speed: FloatArray
    vector_coherence: FloatArray
    face_count: FloatArray
    face_area: FloatArray


def look(file: str | Path | Readable, *, start_s: float = 0.0, ticks: int) -> Look:
    """Look at consecutive ticks of media.

    Damaged pictures are left out, as are those of a stream that is no video.

    Args:
        file: as for `probe.probe`; it must be seekable for a `start_s` far from 0 to be cheap.
        start_s: where the first tick lies, relative to the container's start (`MediaInfo.start_s`).
        ticks: how many.

    Raises:
        MediaError: when the media can't be opened.
    """
    cascade = cascade_path()
    finder = FaceFinder(cascade) if cascade is not None else None
    motion = VectorMotion()
    speeds: list[list[float]] = [[] for _ in range(ticks)]
    coherences: list[list[float]] = [[] for _ in range(ticks)]
    faces = np.full((2, ticks), np.nan, np.float32)
    with open_media(file) as container:
        for time_s, frame in _references(container, start_s):
            tick = math.floor((time_s - start_s) / TICK_S)
            if tick >= ticks:
                break
            speed, coherence = motion.push(frame, time_s)
            if tick < 0:
                continue
            speeds[tick].append(speed)
            coherences[tick].append(coherence)
            if finder is not None and np.isnan(faces[0, tick]):
                faces[:, tick] = finder.count_and_area(_gray(frame))
    return Look(_means(speeds), _means(coherences), *faces)


def _references(container: InputContainer, start_s: float) -> Iterator[tuple[float, VideoFrame]]:
    """Pictures that others refer to, from the last keyframe before the start on, with their times."""
    audio, video = best_streams(container)
    if video is None or video.time_base is None:
        return
    zero_s = start_of(audio, video)
    zero_s = 0.0 if math.isnan(zero_s) else zero_s
    video.codec_context.thread_count = 1
    video.codec_context.skip_frame = SPARING
    video.codec_context.options = {"skip_loop_filter": "all"}
    export_vectors(video.codec_context)
    if start_s > 0:
        container.seek(int((zero_s + start_s) / video.time_base), stream=video)
    for packet in itertools.chain(packets_of(container, [video]), [None]):
        try:
            frames = _decoded(video, packet)
        except av.FFmpegError as error:
            log.debug("a damaged picture is left out: %s", error.strerror or error)
            continue
        for frame in frames:
            if frame.pts is not None:
                yield float(frame.pts * video.time_base) - zero_s, frame


def _decoded(video: VideoStream, packet: av.Packet[VideoStream] | None) -> list[VideoFrame]:
    return list(video.decode(packet))


def _gray(frame: VideoFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    width = min(PICTURE_WIDTH_PX, frame.width)
    height = max(1, round(frame.height * width / frame.width))
    return frame.to_ndarray(width=width, height=height, format="gray")


def _means(per_tick: list[list[float]]) -> FloatArray:
    """Means of what is known in each tick."""
    known = [[value for value in values if not math.isnan(value)] for values in per_tick]
    return np.array([sum(values) / len(values) if values else math.nan for values in known], np.float32)
