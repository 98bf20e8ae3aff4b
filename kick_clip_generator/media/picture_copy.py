"""Joining the pictures of several files as they are, where their parameters agree."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.cut import COPY_VIDEO
from kick_clip_generator.media.parts import Measured
from kick_clip_generator.media.probe import open_media
from kick_clip_generator.media.survey import EDGE_S

TICK_HZ = 90_000
# Sound that goes on for longer than this behind the last picture would be lost.
ENDS_TOGETHER_S = 0.1
# A wrong parameter set shows in the first pictures: the first that refers to another is among them.
COMPARED = 8


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of one file.

    Attributes:
        shown_s: when each is shown, in the order of decoding; the first is at 0.
        duration_s: from the first to the end of the last.
    """

    path: Path
    stream: int
    codec: str
    shown_s: tuple[float, ...]
    duration_s: float


def copyable(parts: Sequence[Measured]) -> list[Pictures] | None:
    """The pictures of all parts where they can be put one after the other as they are, else None."""
    agreed: tuple[object, ...] | None = None
    found: list[Pictures] = []
    for part in parts:
        if not part.part.whole or part.video < 0:
            return None
        with open_media(part.part.path) as container:
            video = container.streams.video[[s.index for s in container.streams.video].index(part.video)]
            context = video.codec_context
            name = context.codec.canonical_name
            facts = (name, context.extradata, context.width, context.height, context.pix_fmt, part.width_px)
            if part.turned or name not in COPY_VIDEO or context.pix_fmt != "yuv420p":
                return None
            if agreed is not None and facts != agreed:
                return None
            agreed = facts
            pictures = _pictures(container, part, name)
            if pictures is None or part.duration_s > pictures.duration_s + ENDS_TOGETHER_S:
                return None
            found.append(pictures)
    return found


def _pictures(container: InputContainer, part: Measured, codec: str) -> Pictures | None:
    """None where something is left out (an edit list), or the first packet isn't the first picture."""
    shown: list[float] = []
    length_s = 0.0
    for packet in container.demux(container.streams[part.video]):
        if not packet.size:
            continue
        if packet.pts is None or packet.is_discard or packet.is_corrupt or (not shown and not packet.is_keyframe):
            return None
        shown.append(float(packet.pts * packet.time_base) - part.origin_s)
        length_s = float((packet.duration or 0) * packet.time_base)
    order = sorted(shown)
    if not shown or order[0] != shown[0] or abs(shown[0]) > EDGE_S:
        return None
    # A packet's own length is that of its turn to be decoded.
    last_s = order[-1] - order[-2] if len(order) > 1 else length_s
    return Pictures(part.part.path, part.video, codec, tuple(shown), order[-1] + last_s)


def write_pictures(
    parts: Sequence[Pictures], starts_s: Sequence[float], target: Path, cancel: CancelToken | None
) -> None:
    """Write the pictures of all parts into an MP4, each part at its start.

    Raises:
        MediaError: a part changed, or the target can't be written.
        Cancelled: when the token is up.
    """
    times = [
        round((start_s + shown_s) * TICK_HZ)
        for part, start_s in zip(parts, starts_s, strict=True)
        for shown_s in part.shown_s
    ]
    # Times of decoding are counted anew over all parts, so that they rise from one to the next.
    order = sorted(times)
    delay = max(turn - time for turn, time in zip(order, times, strict=True))
    ends = [*order[1:], round((starts_s[-1] + parts[-1].duration_s) * TICK_HZ)]
    left = iter(zip(times, order, ends, strict=True))
    try:
        with target.open("wb") as file, contextlib.ExitStack() as stack:
            output = stack.enter_context(
                av.open(file, "w", format="mp4", container_options={"video_track_timescale": str(TICK_HZ)})
            )
            written = None
            for part in parts:
                with open_media(part.path) as container:
                    video = container.streams[part.stream]
                    written = written or output.add_stream_from_template(video, opaque=True)
                    for packet in container.demux(video):
                        if not packet.size:
                            continue
                        if cancel is not None:
                            cancel.check()
                        shown, turn, end = next(left, (0, 0, 0))
                        if not end:
                            raise MediaError(f"{part.path.name} changed while it was joined.")
                        packet.time_base = Fraction(1, TICK_HZ)
                        packet.pts, packet.dts, packet.duration = shown, turn - delay, end - turn
                        packet.stream = written
                        output.mux_one(packet)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise MediaError(f"The pictures can't be joined: {getattr(error, 'strerror', None) or error}.") from error


def check_pictures(parts: Sequence[Pictures], starts_s: Sequence[float], target: Path) -> None:
    """Compare the first pictures of each part in `target` with those of its own file, to the bit.

    Raises:
        MediaError: they differ: a decoder that comes from the part before needs other parameters.
    """
    for part, start_s in zip(parts, starts_s, strict=True):
        # The decoder has to come from the part before, as a player's does.
        before_s = max(0.0, start_s - 0.5)
        count = min(COMPARED, len(part.shown_s))
        theirs = itertools.islice(_decoded(part.path, part.stream, 0.0, 0.0), count)
        ours = itertools.islice(_decoded(target, 0, before_s, start_s), count)
        for index, (mine, other) in enumerate(itertools.zip_longest(ours, theirs)):
            if mine is None or other is None or not np.array_equal(mine, other):
                raise MediaError(f"Picture {index + 1} of {part.path.name} changed when it was joined.")


def _decoded(path: Path, stream: int, seek_s: float, start_s: float) -> Iterator[NDArray[np.uint8]]:
    """The luma of pictures from `start_s` on, decoded from the keyframe before `seek_s` on."""
    with open_media(path) as container:
        video = container.streams[stream]
        if seek_s > 0:
            container.seek(round(seek_s * av.time_base), backward=True)
        for frame in container.decode(video):
            if isinstance(frame, VideoFrame) and frame.time is not None and frame.time >= start_s - EDGE_S:
                plane = frame.planes[0]
                yield (
                    np.frombuffer(memoryview(plane), np.uint8)
                    .reshape(-1, plane.line_size)[: frame.height, : frame.width]
                    .copy()
                )
