"""How far a signal stands out of its surroundings, in robust standard deviations.

Streams differ in level by tens of dB and drift by the hour, so nothing absolute is compared: the baseline is the
rolling median, the unit the rolling median absolute deviation (times 1.4826, the σ of a normal distribution).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.highlights.medians import medians

Array = NDArray[np.float64]

# Long against an event (about 10 s), short against a change of scene or of level.
BASELINE_S = 150.0

# Medians move slowly: one per block, straight lines between. 72,000 ticks take tens of milliseconds per signal.
BLOCK_S = 10.0
EVERY_TICKS = 2

MAD_TO_SIGMA = 1.4826

# A calm stretch of a lively stream must not turn its smallest stir into a peak: σ is at least this share of the whole
# stream's.
STREAM_SHARE = 0.5

# z is squashed smoothly, so that one signal can not outvote all others however far it goes.
Z_LIMIT = 4.0


def robust_z(values: NDArray[np.floating], floor: float) -> Array:
    """Robust z of one signal against its surroundings.

    Args:
        values: one value per tick, shape `(ticks,)`, NaN where unknown.
        floor: the least spread that counts as one σ, in the signal's unit.

    Returns:
        shape `(ticks,)`, within ±`Z_LIMIT`, growing with the value; NaN exactly where the value is not known.
    """
    # Not yet in double precision: narrow numbers are sorted twice as fast.
    signal = np.where(np.isfinite(values), values, values.dtype.type(np.nan))
    if np.isnan(signal).all():
        return signal.astype(np.float64)
    center, spread = _rolling(signal)
    whole = MAD_TO_SIGMA * medians(np.abs(signal - medians(signal[None]))[None])
    sigma = np.maximum(np.maximum(spread, STREAM_SHARE * whole), floor)
    return np.asarray(Z_LIMIT * np.tanh((signal - center) / (sigma * Z_LIMIT)))


def _rolling(signal: NDArray[np.floating]) -> tuple[Array, Array]:
    """Median and scaled MAD around every tick; at the ends of the stream of its first or last whole window."""
    ticks = len(signal)
    width = min(round(BASELINE_S / TICK_S), ticks)
    block = round(BLOCK_S / TICK_S)
    middles = np.arange(min(block // 2, ticks - 1), ticks, block)
    starts = np.clip(middles - width // 2, 0, ticks - width)
    windows = np.lib.stride_tricks.sliding_window_view(signal, width)[starts, ::EVERY_TICKS]
    centers = medians(windows)
    deviations = MAD_TO_SIGMA * medians(np.abs(windows - centers[:, None]))
    # A window without any known value is a gap; it gets the medians of its neighbors.
    known = np.isfinite(centers)
    at = np.arange(ticks)
    if not known.any():
        # Only ticks that the decimation skipped are known.
        return np.full(ticks, medians(signal[None])), np.zeros(ticks)
    return np.interp(at, middles[known], centers[known]), np.interp(at, middles[known], deviations[known])
