"""A closer look at a stretch of media: motion vectors and faces, from one decode of its reference pictures."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, FloatArray
from kick_clip_generator.media.faces import PICTURE_WIDTH_PX, FaceFinder, cascade_path
from kick_clip_generator.media.motion_vectors import VectorMotion, export_vectors
from kick_clip_generator.media.probe import Readable, best_streams, open_media, packets_of, start_of

log = logging.getLogger(__name__)

# Pictures that no other refers to cost half of the decode and tell little that is new at two ticks a second.
SPARING: Literal["NONREF"] = "NONREF"

# A seek in MPEG-TS, which has no index, lands on any picture; so far before it there is a keyframe as a rule.
TS_KEYFRAME_S = 10.0


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


def look(file: str | Path | Readable, *, start_s: float = 0.0, ticks: int, faces: bool = True) -> Look:
    """Look at consecutive ticks of media.

    Damaged pictures are left out, as are those of a stream that is no video.

    Args:
        file: as for `probe.probe`; all before `start_s` is decoded too where it can't be positioned.
        start_s: where the first tick lies, relative to the container's start (`MediaInfo.start_s`).
        ticks: how many.
        faces: whether to look for faces, which costs more than the rest.

    Raises:
        MediaError: when the media can't be opened.
    """
    cascade = cascade_path() if faces else None
    finder = FaceFinder(cascade) if cascade is not None else None
    motion = VectorMotion()
    speeds: list[list[float]] = [[] for _ in range(ticks)]
    coherences: list[list[float]] = [[] for _ in range(ticks)]
    seen = np.full((2, ticks), np.nan, np.float32)
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
            if finder is not None and np.isnan(seen[0, tick]):
                seen[:, tick] = finder.count_and_area(_gray(frame))
    return Look(_means(speeds), _means(coherences), *seen)


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
    seek_s = start_s - (TS_KEYFRAME_S if container.format.name == "mpegts" else 0)
    if seek_s > 0:
        # What can't be positioned is decoded from where it stands.
        with contextlib.suppress(av.FFmpegError, OSError):
            container.seek(int((zero_s + seek_s) / video.time_base), stream=video)
    for packet in itertools.chain(packets_of(container, [video]), [None]):
        try:
            frames: list[VideoFrame] = list(video.decode(packet))
        except av.FFmpegError as error:
            log.debug("a damaged picture is left out: %s", error.strerror or error)
            continue
        for frame in frames:
            if frame.pts is not None:
                yield float(frame.pts * video.time_base) - zero_s, frame


def _gray(frame: VideoFrame) -> NDArray[np.uint8]:
    width = min(PICTURE_WIDTH_PX, frame.width)
    height = max(1, round(frame.height * width / frame.width))
    return np.asarray(frame.to_ndarray(width=width, height=height, format="gray"), np.uint8)


def _means(per_tick: list[list[float]]) -> FloatArray:
    """Means of what is known in each tick."""
    known = [[value for value in values if not math.isnan(value)] for values in per_tick]
    return np.array([sum(values) / len(values) if values else math.nan for values in known], np.float32)
