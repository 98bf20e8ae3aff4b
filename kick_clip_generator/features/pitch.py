"""Fundamental frequency of single frames, from the power spectrum that is there anyway.

Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled
sound" (1993), the method of Praat: the autocorrelation of a windowed frame, divided by the window's own, is near 1 at
the period of a voice. The autocorrelation is one product of the spectrum under `HIGHEST_HARMONIC_HZ` with cosines.
"""

from __future__ import annotations

import math

import numpy as np

from kick_clip_generator.core.timeline import FloatArray

LOWEST_HZ = 65.0
HIGHEST_HZ = 600.0
# Rumble lies below; above, the formants disturb more than the harmonics help. Against the median per tick of
# librosa.pyin on seven recordings of speech: correlation 0.983, 0.966 up to 1 kHz, 0.979 up to 2 kHz.
LOWEST_HARMONIC_HZ = 60.0
HIGHEST_HARMONIC_HZ = 1_500.0
# Lags in steps of 1/8000 s, then a parabola: a tone comes out within 0.3 %.
LAG_RATE_HZ = 8_000
# Of two periods that fit alike, the shorter is the voice's, the longer its multiple. Praat takes 0.01 per octave and
# then searches over time, which costs more than all the rest: with 0.02, 9 % of the voiced frames were off, 6 % with
# this.
OCTAVE_COST = 0.1
VOICED_STRENGTH = 0.45
# A frame under -60 dBFS is no voice, whatever its period.
SILENCE_MEAN_SQUARE = 1e-6


class PitchFinder:
    """Finds the pitch of frames of one size.

    Args:
        window: the frames' window, shape `(n_fft,)`.
        sample_rate_hz: of the frames.
    """

    def __init__(self, window: FloatArray, sample_rate_hz: int) -> None:
        n_fft = len(window)
        bin_hz = sample_rate_hz / n_fft
        self._bins = slice(math.ceil(LOWEST_HARMONIC_HZ / bin_hz), math.floor(HIGHEST_HARMONIC_HZ / bin_hz) + 1)
        # One lag more on both sides, so that the outermost can be seen to be peaks.
        lags = np.arange(math.floor(LAG_RATE_HZ / HIGHEST_HZ) - 1, math.ceil(LAG_RATE_HZ / LOWEST_HZ) + 2)
        self._lags = lags[1:-1].astype(np.float32)
        angles = 2 * np.pi / LAG_RATE_HZ * np.arange(n_fft // 2 + 1)[self._bins, None] * bin_hz * lags
        own = np.correlate(window, window, "full")[n_fft - 1 :]
        taper = np.interp(lags * sample_rate_hz / LAG_RATE_HZ, np.arange(n_fft), own / own[0])
        self._basis = (np.cos(angles) / taper).astype(np.float32)
        self._cost = (OCTAVE_COST * np.log2(lags[1:-1] * LOWEST_HZ / LAG_RATE_HZ)).astype(np.float32)

    def find(self, power: FloatArray, mean_square: FloatArray) -> FloatArray:
        """The pitch of frames.

        Args:
            power: power spectra, shape `(ticks, frames, 1 + n_fft // 2)`; every tick is one product of one shape, so
                that the bits do not depend on how many there are.
            mean_square: of the same frames, shape `(ticks, frames)`.

        Returns:
            Hz between `LOWEST_HZ` and `HIGHEST_HZ`, shape `(ticks, frames)`; NaN where the frame is not voiced.
        """
        spectrum = np.ascontiguousarray(power[..., self._bins])
        energy = spectrum.sum(axis=-1, keepdims=True)
        strength = np.matmul(spectrum, self._basis)
        strength /= np.where(energy > 0, energy, np.float32(1))
        strength = strength.reshape(-1, strength.shape[-1])
        middle = strength[:, 1:-1]
        peak = (middle > strength[:, :-2]) & (middle >= strength[:, 2:])
        best = np.argmax(np.where(peak, middle - self._cost, np.float32(-2)), axis=1)
        rows = np.arange(len(best))
        before, at, after = (strength[rows, best + step] for step in range(3))
        curvature = before - 2 * at + after
        peaked = peak[rows, best] & (curvature < 0)
        shift = np.where(peaked, 0.5 * (before - after) / np.where(peaked, curvature, 1), 0)
        pitch = LAG_RATE_HZ / (self._lags[best] + shift)
        voiced = peaked & (at > VOICED_STRENGTH) & (mean_square.reshape(-1) > SILENCE_MEAN_SQUARE)
        return np.asarray(np.where(voiced, pitch, np.nan), np.float32).reshape(mean_square.shape)
