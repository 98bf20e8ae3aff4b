"""Short bursts of energy: how many a second, and how deep the level swings at their rate.

Laughter is a train of notes of 75 ms every 210 ms (Provine and Yong, "Laughter: a stereotyped human vocalization",
1991), syllables and claps come three to eight times a second, and a whole crowd that laughs or claps fills the gaps:
dense sound with shallow swings. So a single voice is high in both, a crowd and an engine low, and the level tells those
two apart. The depth is the 4 Hz modulation of Scheirer and Slaney, "Construction and evaluation of a robust
multifeature speech/music discriminator" (1997).
"""

from __future__ import annotations

import numpy as np

from kick_clip_generator.core.timeline import FloatArray

WINDOW_S = 2.0
SLOWEST_HZ = 3.0
FASTEST_HZ = 8.0
# A burst is the highest frame among three on each side, and stands this far over the lowest of twelve (190 ms) on each
# side. Crowds that laugh or clap have fewer than their background (area under the ROC curve 0.78, 0.84, 0.85 and 0.87
# for 2, 3, 4 and 6 dB on the development streams).
BURST_DB = 4.0
PEAK_FRAMES = 3
VALLEY_FRAMES = 12
FLOOR_POWER = 1e-8


class Bursts:
    """Bursts of the level of consecutive frames; keeps two and a half seconds of it.

    Pushing a run in blocks of any number of ticks gives the same bits. Both signals are unknown until two seconds of
    the run are there.

    Args:
        frames_per_tick: energy frames per tick.
        frame_rate_hz: energy frames per second.
    """

    def __init__(self, frames_per_tick: int, frame_rate_hz: float) -> None:
        self._frames_per_tick = frames_per_tick
        self._window = round(WINDOW_S * frame_rate_hz)
        taper = np.hanning(self._window)
        bins = np.arange(round(SLOWEST_HZ * WINDOW_S), round(FASTEST_HZ * WINDOW_S) + 1)
        angles = 2 * np.pi / self._window * np.arange(self._window)[:, None] * bins
        basis = np.concatenate([np.cos(angles), np.sin(angles)], axis=1) * taper[:, None]
        # Scaled so that the sum of squares is the mean square of what lies in the band.
        self._basis = (basis * np.sqrt(2 / (self._window * (taper**2).sum()))).astype(np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the run: what comes next starts a new one."""
        # A frame is judged when the twelve behind it are there.
        self._power = np.full(self._window + 2 * VALLEY_FRAMES, np.nan, np.float32)

    def push(self, power: FloatArray) -> dict[str, FloatArray]:
        """The next ticks of the run.

        Args:
            power: mean square per frame, shape `(ticks * frames_per_tick,)`; NaN where the frame is unknown.

        Returns:
            By name, shape `(ticks,)`: `burst_rate` (bursts a second over the last two) and `modulation_4hz` (rms of the
            envelope's part between 3 and 8 Hz over its mean; NaN in digital silence).
        """
        known = np.concatenate([self._power, power])
        self._power = known[len(known) - len(self._power) :].copy()
        return {"burst_rate": self._rate(known), "modulation_4hz": self._modulation(np.sqrt(known))}

    def _rate(self, power: FloatArray) -> FloatArray:
        level = 10 * np.log10(np.maximum(power, FLOOR_POWER))
        judged = slice(VALLEY_FRAMES, len(level) - VALLEY_FRAMES)
        lowest = _lowest_of_twelve(level)
        valley = np.maximum(lowest[: len(level) - 2 * VALLEY_FRAMES], lowest[VALLEY_FRAMES + 1 :])
        highest = level[judged]
        for step in range(1, PEAK_FRAMES + 1):
            highest = np.maximum(highest, level[VALLEY_FRAMES - step : len(level) - VALLEY_FRAMES - step])
            highest = np.maximum(highest, level[VALLEY_FRAMES + step : len(level) - VALLEY_FRAMES + step])
        burst = (level[judged] == highest) & (highest - valley >= BURST_DB)
        total = np.concatenate([[0], np.cumsum(burst)])
        ends = np.arange(self._window + self._frames_per_tick, len(total), self._frames_per_tick)
        unknown = np.concatenate([[0], np.cumsum(np.isnan(highest - valley))])
        count = (total[ends] - total[ends - self._window]) / WINDOW_S
        return np.asarray(np.where(unknown[ends] > unknown[ends - self._window], np.nan, count), np.float32)

    def _modulation(self, envelope: FloatArray) -> FloatArray:
        envelope = envelope[len(self._power) - self._window :]
        windows = np.lib.stride_tricks.sliding_window_view(envelope, self._window)
        windows = np.ascontiguousarray(windows[self._frames_per_tick :: self._frames_per_tick])
        mean = windows.mean(axis=1)
        some = mean > 0
        centered = windows / np.where(some, mean, 1)[:, None] - 1
        swings = np.matmul(centered[:, None, :], self._basis)[:, 0]
        depth = np.sqrt((swings**2).sum(axis=1))
        return np.asarray(np.where(some, depth, np.nan), np.float32)


def _lowest_of_twelve(values: FloatArray) -> FloatArray:
    """The least of `values[i : i + 12]` for every i."""
    for step in (1, 2):
        values = np.minimum(values[:-step], values[step:])
    eight = np.minimum(values[:-4], values[4:])
    return np.minimum(eight[:-4], values[8:])
