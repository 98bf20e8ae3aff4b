"""What can be computed from a signal that is there already: deltas, peaks; silences, dips, cuts, black, freezes.

All of it takes one signal on the tick grid and treats NaN as unknown: nothing is found in it, beside it or across it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S, FloatArray

SILENCE_DB = -50.0
SHORTEST_SILENCE_S = 0.5
DIP_DB = 12.0
LONGEST_DIP_S = 3.0
DIP_SURROUNDINGS_S = 8.0

# The usual thresholds of ffmpeg's `scene`, `blackdetect` and `freezedetect`.
CUT_STRENGTH = 0.3
BLACK_RATIO = 0.98
FREEZE_SHARE = 0.003
SHORTEST_FREEZE_S = 0.5


def deltas(values: FloatArray, *, width: int = 9) -> FloatArray:
    """Local slope of signals, per tick: how MFCCs move.

    The regression line over `width` ticks, as `librosa.feature.delta` of order 1; the first and last half width have
    the slope of the nearest whole window.

    Args:
        values: shape `(ticks,)` or `(ticks, names)`.
        width: an odd number of ticks, at least 3.

    Returns:
        Same shape; NaN where the window holds an unknown value, and everywhere if there are fewer ticks than `width`.

    Raises:
        ValueError: for another width.
    """
    if width < 3 or width % 2 == 0:
        raise ValueError(f"expected an odd width of at least 3, got {width}")
    slopes = np.full(values.shape, np.nan, np.float32)
    if len(values) < width:
        return slopes
    half = width // 2
    weights = np.arange(-half, half + 1) / (2 * (np.arange(1, half + 1) ** 2).sum())
    inner = np.zeros((len(values) - width + 1, *values.shape[1:]))
    for step, weight in enumerate(weights):
        # The middle has weight 0, which leaves an unknown value there unknown.
        inner += weight * values[step : step + len(inner)]
    slopes[half : len(values) - half] = inner
    slopes[:half] = slopes[half]
    slopes[len(values) - half :] = slopes[len(values) - half - 1]
    return slopes


def find_peaks(
    values: ArrayLike, *, height: float = -math.inf, prominence: float = 0.0, distance: int = 1
) -> NDArray[np.intp]:
    """Indices of peaks, ascending, in the sense of `scipy.signal.find_peaks`, whose import costs a CPU-second.

    A peak is higher than what lies beside it; of a plateau it is the middle. Its prominence is its height over the
    higher of the two lowest points that lie between it and higher ground (or the end, or an unknown value).

    Args:
        values: shape `(n,)`.
        height: least height.
        prominence: least prominence.
        distance: least number of samples from one peak to the next; the higher stays.

    Raises:
        ValueError: when the signal is not one-dimensional, or `distance` is less than 1.

    Example:
        >>> find_peaks([0, 1, 0, 3, 2, 2.5, 0], prominence=1)
        array([1, 3])
    """
    signal = np.asarray(values, np.float64)
    if signal.ndim != 1 or distance < 1:
        raise ValueError(f"expected one dimension and a distance of at least 1, got {signal.shape} and {distance}")
    peaks = _local_maxima(signal)
    peaks = peaks[signal[peaks] >= height]
    if distance > 1:
        peaks = _apart(peaks, signal[peaks], distance)
    if prominence > 0:
        base = np.maximum(_base(signal), _base(signal[::-1])[::-1])
        peaks = peaks[signal[peaks] - base[peaks] >= prominence]
    return peaks


def silences(
    level_db: FloatArray, *, first_tick: int = 0, below_db: float = SILENCE_DB, least_s: float = SHORTEST_SILENCE_S
) -> list[Span]:
    """Spans in which the level stays under `below_db` for at least `least_s`, in order of time.

    Args:
        level_db: `level_db` or `rms_db`, shape `(ticks,)`.
        first_tick: absolute index of the first.
        below_db: the default lies between the noise of a quiet microphone and the softest speech; the idea and the two
            parameters are those of ffmpeg's `silencedetect`.
        least_s: shortest span.
    """
    return [
        _span(start, stop, first_tick)
        for start, stop in _runs(level_db < below_db)
        if (stop - start) * TICK_S >= least_s
    ]


def audio_dips(
    level_db: FloatArray, *, first_tick: int = 0, depth_db: float = DIP_DB, longest_s: float = LONGEST_DIP_S
) -> list[Span]:
    """Short drops of the level that come back: a held breath, a skipped beat, a lost packet, in order of time.

    A dip lies `depth_db` under the median of the eight seconds on each side of it, and lasts at most `longest_s`, so a
    silence, a scene that gets quieter and the pauses of slow speech are none.

    Args:
        level_db: `level_db` or `rms_db`, shape `(ticks,)`.
        first_tick: absolute index of the first.
        depth_db: how far it drops.
        longest_s: longest dip.
    """
    around = round(DIP_SURROUNDINGS_S / TICK_S)
    padded = np.pad(np.asarray(level_db, np.float64), around, constant_values=np.nan)
    before = _known_median(np.lib.stride_tricks.sliding_window_view(padded, around)[: len(level_db)])
    after = _known_median(np.lib.stride_tricks.sliding_window_view(padded, around)[around + 1 :])
    low = level_db < np.minimum(before, after) - depth_db
    return [_span(start, stop, first_tick) for start, stop in _runs(low) if (stop - start) * TICK_S <= longest_s]


def cuts(scene_strength: FloatArray, *, first_tick: int = 0, at_least: float = CUT_STRENGTH) -> list[Span]:
    """The ticks in which the scene is cut, one span each, in order of time.

    Args:
        scene_strength: the signal of that name, shape `(ticks,)`.
        first_tick: absolute index of the first.
        at_least: the threshold that is used with ffmpeg's `scene`. A flash that bright counts too, twice if it lasts
            into another tick; `flash` tells it.
    """
    return [_span(tick, tick + 1, first_tick) for tick in np.flatnonzero(scene_strength >= at_least).tolist()]


def black_spans(
    black_ratio: FloatArray, *, first_tick: int = 0, at_least: float = BLACK_RATIO, least_s: float = 0.0
) -> list[Span]:
    """Spans in which the picture is black, as after a fade, in order of time.

    Both ends lie within one tick of those of ffmpeg's `blackdetect=d=0.1:pix_th=0.10`. One black picture is enough for
    a tick; of pictures that are black for less than a quarter of a second it is chance whether one is looked at.

    Args:
        black_ratio: the signal of that name, shape `(ticks,)`.
        first_tick: absolute index of the first.
        at_least: share of the picture that must be black, `picture_black_ratio_th` there.
        least_s: shortest span.
    """
    black = _runs(black_ratio >= at_least)
    return [_span(start, stop, first_tick) for start, stop in black if (stop - start) * TICK_S >= least_s]


def freezes(
    picture_change: FloatArray,
    *,
    first_tick: int = 0,
    share: float = FREEZE_SHARE,
    least_s: float = SHORTEST_FREEZE_S,
) -> list[Span]:
    """Spans in which the picture stands still, in order of time.

    Both ends lie within one tick of those of ffmpeg's `freezedetect`. A picture that drifts by less than the threshold
    in half a second stands still here; there, only until it has drifted so far.

    Args:
        picture_change: the signal of that name, shape `(ticks,)`.
        first_tick: absolute index of the first.
        share: largest mean change, as a share of all levels; `n` there.
        least_s: shortest freeze, `d` there.
    """
    still = _runs(picture_change <= share * 256)
    # The picture before the first still tick is the one that stood still: the freeze began in the tick of that one.
    return [_span(max(start - 1, 0), stop, first_tick) for start, stop in still if (stop - start) * TICK_S >= least_s]


def _local_maxima(signal: NDArray[np.float64]) -> NDArray[np.intp]:
    if len(signal) < 3:
        return np.empty(0, np.intp)
    # Runs of equal values; NaN equals nothing, so each is a run of its own that no comparison is true for.
    starts = np.flatnonzero(np.concatenate([[True], signal[1:] != signal[:-1]]))
    stops = np.append(starts[1:], len(signal))
    heights = signal[starts]
    higher = np.zeros(len(starts), np.bool_)
    higher[1:-1] = (heights[1:-1] > heights[:-2]) & (heights[1:-1] > heights[2:])
    return (starts[higher] + stops[higher] - 1) // 2


def _apart(peaks: NDArray[np.intp], heights: NDArray[np.float64], distance: int) -> NDArray[np.intp]:
    kept = np.ones(len(peaks), np.bool_)
    for index in np.argsort(heights)[::-1]:
        if kept[index]:
            near = slice(*np.searchsorted(peaks, [peaks[index] - distance + 1, peaks[index] + distance]))
            kept[near] = False
            kept[index] = True
    return peaks[kept]


def _base(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """For every sample the lowest value from the nearest higher one before it (or the start, or NaN) up to itself."""
    lowest = np.empty(len(signal))
    # Values that nothing since has reached, falling, each with the lowest since the one before it: a stack, so each
    # value is looked at twice, however long the signal.
    stack: list[tuple[float, float]] = []
    for index, value in enumerate(signal.tolist()):
        if math.isnan(value):
            stack.clear()
            lowest[index] = math.nan
            continue
        least = value
        while stack and stack[-1][0] <= value:
            least = min(least, stack.pop()[1])
        stack.append((value, least))
        lowest[index] = least
    return lowest


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _span(start: int, stop: int, first_tick: int) -> Span:
    return Span((first_tick + start) * TICK_S, (first_tick + stop) * TICK_S)


def _known_median(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of what is known in each row; NaN where nothing is."""
    ordered = np.sort(windows, axis=1)
    count = (~np.isnan(windows)).sum(axis=1)
    rows, some = np.arange(len(windows)), np.maximum(count, 1)
    return 0.5 * (ordered[rows, (some - 1) // 2] + ordered[rows, some // 2])
