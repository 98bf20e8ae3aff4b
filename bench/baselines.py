"""What a few lines would find: peaks of one curve, each with twelve seconds around it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.records import Highlight, Span
from kick_clip_generator.core.timeline import TICK_S, Timeline

LENGTH_S = 12.0
COUNT = 30
SMOOTH_TICKS = 13


def baselines(timeline: Timeline) -> dict[str, list[Highlight]]:
    """Lists of highlights by simple methods; scores only rank."""
    loudness, motion = (_smooth(timeline.column(name)) for name in ("rms_db", "motion"))
    curves: Mapping[str, NDArray[np.float64]] = {
        "random": np.random.default_rng(0).random(len(timeline)),
        "loudness": loudness,
        "motion": motion,
        "sum of z": _z(loudness) + _z(motion),
    }
    return {name: _peaks(curve, timeline) for name, curve in curves.items()}


def _smooth(column: NDArray[np.float32]) -> NDArray[np.float64]:
    known = np.where(np.isfinite(column), column, np.nanmedian(column) if np.isfinite(column).any() else 0.0)
    kernel = np.hanning(SMOOTH_TICKS + 2)[1:-1]
    return np.convolve(np.pad(known.astype(np.float64), SMOOTH_TICKS // 2, mode="edge"), kernel / kernel.sum(), "valid")


def _z(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    low, middle, high = np.percentile(curve, [16, 50, 84])
    return np.asarray(2 * (curve - middle) / (high - low + 1e-6))


def _peaks(curve: NDArray[np.float64], timeline: Timeline) -> list[Highlight]:
    left, found = curve.copy(), []
    width = round(LENGTH_S / TICK_S)
    for rank in range(COUNT):
        tick = int(np.argmax(left))
        if not math.isfinite(left[tick]):
            break
        peak_s = timeline.start_s + (tick + 0.5) * TICK_S
        half_s = LENGTH_S / 2
        span = Span(max(timeline.start_s, peak_s - half_s), min(timeline.end_s, peak_s + half_s))
        found.append(Highlight("both", 1 / (1 + rank), peak_s, span, span))
        left[max(0, tick - width) : tick + width + 1] = -np.inf
    return found
