"""How much the timbre of a sound goes about: voices, laughter and cheers do, engines, rain and alarms do not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, FloatArray, Timeline
from kick_clip_generator.highlights.baseline import Array

# The lower ones are the broad shape of the spectrum, which a change of level alone moves too.
COEFFICIENTS = tuple(f"mfcc_{n}" for n in range(5, 14))
AROUND_S = 4.0


def timbre_variation(timeline: Timeline) -> FloatArray:
    """Standard deviation of the MFCCs 5 to 13 over four seconds, their mean.

    Args:
        timeline: features of the stream.

    Returns:
        shape `(ticks,)`, centered on each tick; NaN where less than half of the stretch is known.
    """
    columns: Array = np.stack([timeline.column(name) for name in COEFFICIENTS], axis=1).astype(np.float64)
    known = np.asarray(np.isfinite(columns).all(axis=1))
    columns = np.where(known[:, None], columns, 0.0)
    ticks, width = len(columns), round(AROUND_S / TICK_S)
    at = np.arange(ticks)
    low, high = np.maximum(at - width // 2, 0), np.minimum(at + width - width // 2, ticks)
    number = _sums(known[:, None].astype(np.float64), low, high)
    enough = number[:, 0] >= width / 2
    number = np.maximum(number, 1)
    mean = _sums(columns, low, high) / number
    variance = _sums(columns**2, low, high) / number - mean**2
    spread = np.sqrt(np.maximum(variance, 0.0)).mean(axis=1)
    return np.where(enough, spread, np.nan).astype(np.float32)


def _sums(values: Array, low: NDArray[np.intp], high: NDArray[np.intp]) -> Array:
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray(sums[high] - sums[low])
