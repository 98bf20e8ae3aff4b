"""How a voice is used: its pitch, how much of it there is, how it moves and how loud it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import FloatArray
from kick_clip_generator.features.pitch import SILENCE_MEAN_SQUARE

# Intonation is spread over syllables, so its variance needs more than a tick.
SPREAD_TICKS = 4
# Fewer voiced frames (31 ms each) than these say nothing.
LEAST_FRAMES_IN_TICK = 3
LEAST_FRAMES_IN_SPREAD = 8
LEAST_STEPS = 4
# A step further from the median counts as this, because most are wrong octaves: the correlation with the deviation that
# pyworld's dio gives on recorded speech is 0.72 with it (harvest's with dio's: 0.73), 0.63 without.
FARTHEST_SEMITONES = 6.0
# A larger step from frame to frame is another voice or a wrong octave (Praat's "maximum period factor").
LARGEST_STEP = 1.3


class Voice:
    """Statistics of the pitch per tick; keeps one and a half seconds of it.

    Pushing a run in blocks of any number of ticks gives the same bits.

    Args:
        frames_per_tick: pitch frames per tick.
    """

    def __init__(self, frames_per_tick: int) -> None:
        self._frames_per_tick = frames_per_tick
        self.reset()

    def reset(self) -> None:
        """Forget the run: what comes next starts a new one."""
        self._pitch_hz = np.full((SPREAD_TICKS - 1) * self._frames_per_tick, np.nan, np.float32)

    def push(self, pitch_hz: FloatArray, mean_square: FloatArray) -> dict[str, FloatArray]:
        """The next ticks of the run.

        Args:
            pitch_hz: per frame, NaN where not voiced, shape `(ticks, frames_per_tick)`.
            mean_square: of the same frames, NaN where the frame reaches back before the run.

        Returns:
            By name, shape `(ticks,)`: `pitch` (Hz, median), `voiced_ratio`, `voiced_db` (dBFS, level of the voiced
            frames), and over two seconds `pitch_std` (semitones) and `pitch_jitter` (mean relative step from frame to
            frame). All but the ratio are NaN where there is too little voice.
        """
        voiced = ~np.isnan(pitch_hz)
        count = voiced.sum(axis=1)
        enough = count >= LEAST_FRAMES_IN_TICK
        level = np.where(voiced, mean_square, 0).sum(axis=1) / np.maximum(count, 1)
        spread, jitter = self._over_two_seconds(pitch_hz)
        columns = {
            "pitch": np.where(enough, median_of_known(pitch_hz, count), np.nan),
            "voiced_ratio": count / np.maximum((~np.isnan(mean_square)).sum(axis=1), 1),
            "voiced_db": np.where(enough, 10 * np.log10(np.maximum(level, SILENCE_MEAN_SQUARE)), np.nan),
            "pitch_std": spread,
            "pitch_jitter": jitter,
        }
        return {name: np.asarray(column, np.float32) for name, column in columns.items()}

    def _over_two_seconds(self, pitch_hz: FloatArray) -> tuple[FloatArray, FloatArray]:
        known = np.concatenate([self._pitch_hz, pitch_hz.reshape(-1)])
        self._pitch_hz = known[len(known) - len(self._pitch_hz) :].copy()
        windows = np.lib.stride_tricks.sliding_window_view(12 * np.log2(known), SPREAD_TICKS * self._frames_per_tick)
        # A copy, so that sums over a row have one order whatever the number of rows.
        semitones = np.ascontiguousarray(windows[:: self._frames_per_tick])
        count = (~np.isnan(semitones)).sum(axis=1)
        away = np.clip(semitones - median_of_known(semitones, count)[:, None], -FARTHEST_SEMITONES, FARTHEST_SEMITONES)
        variance = np.where(np.isnan(away), 0, away**2).sum(axis=1) / np.maximum(count, 1)
        step = np.abs(np.exp2(np.diff(semitones, axis=1) / 12) - 1)
        steady = step < LARGEST_STEP - 1
        steps = steady.sum(axis=1)
        change = np.where(steady, step, 0).sum(axis=1) / np.maximum(steps, 1)
        enough = count >= LEAST_FRAMES_IN_SPREAD
        return (
            np.where(enough, np.sqrt(variance), np.nan),
            np.where(enough & (steps >= LEAST_STEPS), change, np.nan),
        )


def median_of_known(values: FloatArray, count: NDArray[np.integer]) -> FloatArray:
    """Median of what is known in each row; NaN sorts last."""
    ordered = np.sort(values, axis=1)
    rows, some = np.arange(len(count)), np.maximum(count, 1)
    return np.asarray(0.5 * (ordered[rows, (some - 1) // 2] + ordered[rows, some // 2]), np.float32)
