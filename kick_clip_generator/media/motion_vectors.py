"""Motion as the encoder saw it: the vectors that a codec carries for its blocks."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from av.codec.context import Flags2
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

# So many widths in a second are no motion: less than a fifth of a pixel of 1080p at 60 fps.
STILL_WIDTHS_PER_S = 0.005


def export_vectors(context: VideoCodecContext) -> None:
    """Make a decoder attach its vectors to its frames; must be called before the first of them.

    H.264, MPEG-1, 2 and 4 and H.263 do; of other codecs' frames all vectors are unknown.
    """
    context.flags2 |= Flags2.export_mvs


class VectorMotion:
    """Speed and coherence of consecutive frames, in order of showing, which a decoder of `export_vectors` gave."""

    def __init__(self) -> None:
        self._reference: Fraction | None = None

    def follow(self, frame: VideoFrame, time: Fraction) -> float:
        """Note a frame without looking at its vectors; seconds since the picture that they point back to, or NaN."""
        # Exact: differences of floats would depend on where the stream's zero lies.
        since_s = math.nan if self._reference is None else float(time - self._reference)
        if frame.pict_type != PictureType.B:
            self._reference = time
        return since_s

    def push(self, frame: VideoFrame, time: Fraction) -> tuple[float, float]:
        """The motion that led to a frame.

        Vectors point back to an earlier picture. FFmpeg does not tell to which one: it is taken for the last one shown
        that is no B picture, as it mostly is.

        Args:
            frame: the next one.
            time: when it is shown, in seconds.

        Returns:
            Mean speed of the blocks by their area, in picture widths per second, NaN where no block tells; and the
            length of their mean vector over the mean of their lengths: 1 when all move alike, NaN when nothing moves.
        """
        since_s = self.follow(frame, time)
        vectors = frame.side_data.get("MOTION_VECTORS")
        if vectors is None or not since_s > 0:
            return math.nan, math.nan
        table = vectors.to_ndarray()
        table = table[(table["source"] < 0) & (table["motion_scale"] > 0)]
        if not len(table):
            return math.nan, math.nan
        area = table["w"].astype(np.float64) * table["h"]
        motion = np.stack([table["motion_x"], table["motion_y"]]) / table["motion_scale"]
        length_px = np.hypot(*motion) @ area
        speed = float(length_px / area.sum() / frame.width / since_s)
        if speed < STILL_WIDTHS_PER_S:
            return speed, math.nan
        return speed, float(np.hypot(*(motion @ area)) / length_px)
