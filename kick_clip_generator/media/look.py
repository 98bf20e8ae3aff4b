"""A closer look at a stretch of media: motion vectors, faces and small pictures, from one decode of its references."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import FloatArray, tick_containing
from kick_clip_generator.media.faces import PICTURE_WIDTH_PX, FaceFinder, cascade_path
from kick_clip_generator.media.motion_vectors import VectorMotion, export_vectors
from kick_clip_generator.media.probe import Readable, best_streams, open_media, packets_of, start_of

log = logging.getLogger(__name__)

# Pictures that no other refers to cost half of the decode and tell little that is new at two ticks a second.
SPARING: Literal["NONREF"] = "NONREF"

PLANAR_8_BIT = ("yuv420p", "yuvj420p", "nv12", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gray")

# A seek in MPEG-TS, which has no index, lands on any picture; so far before it there is a keyframe as a rule.
TS_KEYFRAME_S = 10.0


# Of so many ticks one is searched for faces: a face stays for seconds, and a search costs more than all the rest.
FACES_EVERY_TICKS = 8
# So many pictures of a tick are asked for their vectors; reading those of all costs more than the decode.
VECTORS_PER_TICK = 2
SMALL_WIDTH_PX, SMALL_HEIGHT_PX = 160, 90

Luma = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, one value per tick, NaN where nothing was.

    Attributes:
        vector_speed: mean of the first two pictures' that have vectors, in picture widths per second, see
            `motion_vectors`; shape `(ticks,)`.
        vector_coherence: of the same, as far as something moves, 0-1; shape `(ticks,)`.
        face_count, face_area: of the first picture of every eighth tick, see `faces`; shape `(ticks,)`.
        shown: whether a tick has a picture at all, bool, shape `(ticks,)`.
        small: light of the first picture of each tick, uint8, shape `(ticks, 90, 160)`; black without one.
    """

    vector_speed: FloatArray
    vector_coherence: FloatArray
    face_count: FloatArray
    face_area: FloatArray
    shown: NDArray[np.bool_]
    small: Luma


def look(
    file: str | Path | Readable,
    *,
    start_s: float = 0.0,
    ticks: int,
    first_tick: int = 0,
    skip: int = 0,
    faces: bool = True,
) -> Look:
    """Look at consecutive ticks of media.

    Damaged pictures are left out, as are those of a stream that is no video.

    Args:
        file: as for `probe.probe`; all before `start_s` is decoded too where it can't be positioned.
        start_s: where the first tick lies, relative to the container's start (`MediaInfo.start_s`).
        ticks: how many.
        first_tick: its absolute index, which says in which ticks faces are looked for.
        skip: so many ticks at the beginning have only `shown` and `small`.
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
    shown = np.zeros(ticks, bool)
    small = np.zeros((ticks, SMALL_HEIGHT_PX, SMALL_WIDTH_PX), np.uint8)
    # What can't be positioned is decoded from where it stands.
    positioned = isinstance(file, (str, Path)) or hasattr(file, "seek")
    with open_media(file) as container:
        for time, zero_s, frame in _references(container, start_s, positioned=positioned):
            tick = tick_containing(float(time) - zero_s - start_s)
            if tick >= ticks:
                break
            if tick >= skip and len(speeds[tick]) < VECTORS_PER_TICK:
                speed, coherence = motion.push(frame, time)
                if not math.isnan(speed):
                    speeds[tick].append(speed)
                    coherences[tick].append(coherence)
            else:
                motion.follow(frame, time)
            if tick < 0 or shown[tick]:
                continue
            luma = _luma(frame)
            shown[tick] = True
            small[tick] = cv2.resize(luma, (SMALL_WIDTH_PX, SMALL_HEIGHT_PX), interpolation=cv2.INTER_AREA)
            if finder is not None and tick >= skip and (first_tick + tick) % FACES_EVERY_TICKS == 0:
                seen[:, tick] = finder.count_and_area(_at_most(PICTURE_WIDTH_PX, luma))
    return Look(_means(speeds), _means(coherences), seen[0], seen[1], shown, small)


def _references(
    container: InputContainer, start_s: float, *, positioned: bool
) -> Iterator[tuple[Fraction, float, VideoFrame]]:
    """Pictures that others refer to, from the last keyframe before the start on: their time, its zero, the picture."""
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
    if seek_s > 0 and positioned:
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
                yield frame.pts * video.time_base, zero_s, frame


def _luma(frame: VideoFrame) -> Luma:
    if frame.format.name not in PLANAR_8_BIT:
        return np.asarray(frame.to_ndarray(format="gray"), np.uint8)
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * frame.height]
    return np.asarray(rows.reshape(frame.height, plane.line_size)[:, : frame.width], np.uint8)


def _at_most(width_px: int, luma: Luma) -> Luma:
    height, width = luma.shape
    if width <= width_px:
        return np.ascontiguousarray(luma)
    size = (width_px, max(1, round(height * width_px / width)))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)


def _means(per_tick: list[list[float]]) -> FloatArray:
    """Means of what is known in each tick."""
    known = [[value for value in values if not math.isnan(value)] for values in per_tick]
    return np.array([sum(values) / len(values) if values else math.nan for values in known], np.float32)
