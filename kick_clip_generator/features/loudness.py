"""Loudness as people hear it, and how suddenly it comes.

ITU-R BS.1770-5 weighs the spectrum (K weighting) before it takes the power; EBU Tech 3341 defines momentary (0.4 s) and
short-term (3 s) loudness. Filtering samples is slow in numpy. So the power of each 6 ms of samples, which is exact in
time, is multiplied by the share that the weighting leaves of the spectrum of the frame around it. On seven recordings
92-100 % of the values lie within 0.3 LU of those of ffmpeg's ebur128, whose own weighting is 0.1 LU too loud at 16 kHz.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import FloatArray

# So that a full-scale sine of 997 Hz has -3.01 LUFS.
LUFS_OFFSET_DB = -0.691
QUIETEST_DB = -100.0

# BS.1770-5, tables 1 and 2: coefficients of both stages at 48 kHz, numerator then denominator.
_K_RATE_HZ = 48_000
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))

# Readings come every 100 ms, as those of ffmpeg's ebur128 and other meters.
READINGS_PER_TICK = 5
MOMENTARY_READINGS = 4
SHORT_TERM_TICKS = 6
BLOCKS_PER_READING = 16
SURGE_TICKS = 6
# What is quieter counts as this: from digital silence to the faintest hiss is no outburst.
SURGE_FLOOR_DB = -60.0


def k_weighting(frequencies_hz: NDArray[np.floating]) -> NDArray[np.float64]:
    """Power gain of the K weighting at each frequency, same shape."""
    z = np.exp(-2j * np.pi * frequencies_hz / _K_RATE_HZ)
    powers = np.stack([np.ones_like(z), z, z**2])
    gain = np.ones_like(z)
    for numerator, denominator in (_SHELF, _HIGH_PASS):
        gain = gain * (np.tensordot(numerator, powers, 1) / np.tensordot(denominator, powers, 1))
    return np.asarray(np.abs(gain) ** 2, np.float64)


class Loudness:
    """Loudness of consecutive ticks; keeps three seconds of it.

    Pushing a run in blocks of any number of ticks gives the same bits. A value is unknown until the run holds all that
    it looks at.

    Args:
        samples_per_tick: a multiple of 80.
        hop: samples between the ends of two frames, the last of which ends with its tick.
        n_fft: samples of a frame.
    """

    def __init__(self, samples_per_tick: int, hop: int, n_fft: int) -> None:
        self._blocks = READINGS_PER_TICK * BLOCKS_PER_READING
        self._block = samples_per_tick // self._blocks
        # The frame whose middle lies nearest to the block's, or the last of the tick.
        middles = (np.arange(self._blocks) + 0.5) * self._block
        nearest = np.round((middles + n_fft / 2) / hop - 1).astype(int)
        self._frame_of_block = np.minimum(nearest, samples_per_tick // hop - 1)
        self.reset()

    def reset(self) -> None:
        """Forget the run: what comes next starts a new one."""
        self._readings = np.full(MOMENTARY_READINGS - 1, np.nan)
        self._ticks = np.full(SHORT_TERM_TICKS - 1, np.nan)
        self._levels = np.full(SURGE_TICKS, np.nan, np.float32)

    def push(self, samples: FloatArray, k_share: FloatArray, rms_db: FloatArray) -> dict[str, FloatArray]:
        """The next ticks of the run.

        Args:
            samples: in -1..1, whole ticks.
            k_share: K-weighted power of each frame over its power, shape `(ticks, frames per tick)`, NaN where unknown.
            rms_db: level per tick, shape `(ticks,)`.

        Returns:
            By name, shape `(ticks,)`: `level_db` (of exactly the tick's samples), `lufs_momentary` (the loudest of the
            five 0.4 s that end in the tick), `lufs_short` (the 3 s that end with it) and `surge_db` (its level over the
            loudest of the 3 s before it).
        """
        ticks = len(rms_db)
        blocks = samples.reshape(-1, self._block)
        mean_square = np.einsum("ij,ij->i", blocks, blocks).reshape(ticks, -1) / self._block
        weighted = (mean_square * k_share[:, self._frame_of_block]).astype(np.float64)
        readings = weighted.reshape(-1, BLOCKS_PER_READING).mean(axis=1)
        known = np.concatenate([self._readings, readings])
        self._readings = known[len(known) - len(self._readings) :].copy()
        loudest = _moving_mean(known, MOMENTARY_READINGS).reshape(ticks, -1).max(axis=1)
        per_tick = np.concatenate([self._ticks, readings.reshape(ticks, -1).mean(axis=1)])
        self._ticks = per_tick[len(per_tick) - len(self._ticks) :].copy()
        levels = np.concatenate([self._levels, np.maximum(rms_db, np.float32(SURGE_FLOOR_DB))])
        self._levels = levels[len(levels) - len(self._levels) :].copy()
        before = levels[:ticks]
        for step in range(1, SURGE_TICKS):
            before = np.maximum(before, levels[step : step + ticks])
        tick_power = np.maximum(mean_square.astype(np.float64).mean(axis=1), 10 ** (QUIETEST_DB / 10))
        return {
            "level_db": np.asarray(10 * np.log10(tick_power), np.float32),
            "lufs_momentary": _lufs(loudest),
            "lufs_short": _lufs(_moving_mean(per_tick, SHORT_TERM_TICKS)),
            "surge_db": np.asarray(levels[SURGE_TICKS:] - before, np.float32),
        }


def _moving_mean(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Means over every `size` consecutive values, each added in the same order wherever it lies."""
    total = values[: len(values) - size + 1]
    for step in range(1, size):
        total = total + values[step : len(values) - size + 1 + step]
    return total / size


def _lufs(power: NDArray[np.float64]) -> FloatArray:
    lufs = LUFS_OFFSET_DB + 10 * np.log10(np.maximum(power, 1e-20))
    return np.asarray(np.maximum(lufs, QUIETEST_DB), np.float32)
