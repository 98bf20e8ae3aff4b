"""A small picture of a clip: the sharpest of three around its peak that is not black."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.probe import best_streams, open_media, start_of

WIDTH_PX, HEIGHT_PX = 320, 180
AROUND_S = (-1.0, 0.0, 1.0)
JPEG_QUALITY = 85

# BT.709 black is 16 in limited range; a dark scene has a mean above this, a fade or a pause between scenes has not.
BLACK_LUMA = 20.0

# A picture that is asked for at the end is the last there is; so much earlier there is one at any frame rate.
END_MARGIN_S = 0.1

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A picture in its final size, and how it compares: not black first, then sharp."""

    picture: Picture
    black: bool
    sharpness: float


def thumbnail(clip: Path, peak_s: float) -> bytes | None:
    """A JPEG of 320x180, padded with black where the clip has another shape.

    Sharpness is the variance of the Laplacian (Pech-Pacheco et al. 2000), measured in the final size, in which people
    will see it; grain and compression noise of the full size do not count there.

    Args:
        clip: a local media file.
        peak_s: the instant to show, in the clip; moved into it where it lies outside.

    Returns:
        None when the clip has no picture.

    Raises:
        MediaError: when the clip can't be read, or none of its pictures decoded.
    """
    with open_media(clip) as container:
        audio, video = best_streams(container)
        if video is None or video.time_base is None:
            return None
        zero_s = start_of(audio, video)
        zero_s = 0.0 if math.isnan(zero_s) else zero_s
        last_s = math.inf if container.duration is None else max(0.0, container.duration / av.time_base - END_MARGIN_S)
        # Duplicates where the clip is short; in order, so that one decode gives them all.
        wanted = sorted({min(max(peak_s + around_s, 0.0), last_s) for around_s in AROUND_S})
        container.seek(int((zero_s + wanted[0]) / video.time_base), stream=video)
        pixel_aspect = float(video.sample_aspect_ratio or 1) or 1.0
        candidates: list[_Candidate] = []
        latest: VideoFrame | None = None
        try:
            for frame in container.decode(video):
                if frame.pts is None:
                    continue
                latest = frame
                if float(frame.pts * video.time_base) - zero_s >= wanted[0] - 1e-3:
                    candidates.append(_candidate(frame, pixel_aspect))
                    wanted.pop(0)
                    if not wanted:
                        break
        except av.FFmpegError as error:
            if latest is None:
                raise MediaError(f"No picture of {clip.name} could be decoded: {error.strerror}.") from error
        if not candidates:
            if latest is None:
                raise MediaError(f"No picture of {clip.name} could be decoded.")
            candidates.append(_candidate(latest, pixel_aspect))
    best = max(candidates, key=lambda one: (not one.black, one.sharpness))
    done, jpeg = cv2.imencode(".jpg", best.picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise MediaError(f"The thumbnail of {clip.name} could not be encoded.")
    return jpeg.tobytes()


def _candidate(frame: VideoFrame, pixel_aspect: float) -> _Candidate:
    picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    # As players turn it: by quarters, counter-clockwise.
    turned = np.rot90(picture, round(frame.rotation / 90) % 4)
    wide = frame.width * pixel_aspect, frame.height
    width, height = wide if turned.shape[:2] == picture.shape[:2] else wide[::-1]
    scale = min(WIDTH_PX / width, HEIGHT_PX / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(np.ascontiguousarray(turned), size, interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    left, top = (WIDTH_PX - size[0]) // 2, (HEIGHT_PX - size[1]) // 2
    padded = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    padded[top : top + size[1], left : left + size[0]] = small
    return _Candidate(padded, float(luma.mean()) < BLACK_LUMA, float(cv2.Laplacian(luma, cv2.CV_64F).var()))
