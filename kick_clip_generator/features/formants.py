"""Formants F1-F3 of voiced frames by linear prediction.

The all-pole model is fitted to the power spectrum below `HIGHEST_HZ` alone (selective linear prediction: Makhoul,
"Linear prediction: a tutorial review", 1975), so the sound need not be resampled as Praat does for the same band and
order. numpy alone, for scipy's `lfilter` and `solve_toeplitz` cost a second to import.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import FloatArray

# Praat's defaults: five formants below 5.5 kHz, pre-emphasis from 50 Hz. A root wider than 700 Hz shapes the slope.
HIGHEST_HZ = 5_500.0
ORDER = 10
PRE_EMPHASIS_HZ = 50.0
LOWEST_FORMANT_HZ = 90.0
WIDEST_HZ = 700.0
FORMANTS = 3
# Keeps the prediction from chasing single harmonics to the last digit (-90 dB of white noise).
WHITENING = 1e-9


class FormantFinder:
    """Finds the formants of power spectra of one size.

    Args:
        n_fft: samples of the frames.
        sample_rate_hz: of the frames.
    """

    def __init__(self, n_fft: int, sample_rate_hz: int) -> None:
        bins = math.floor(HIGHEST_HZ * n_fft / sample_rate_hz)
        self._rate_hz = 2 * bins * sample_rate_hz / n_fft
        frequencies_hz = np.arange(bins + 1) * sample_rate_hz / n_fft
        pole = math.exp(-2 * np.pi * PRE_EMPHASIS_HZ / sample_rate_hz)
        emphasis = np.abs(1 - pole * np.exp(-2j * np.pi * frequencies_hz / sample_rate_hz)) ** 2
        # The autocorrelation of the band, as if it had been sampled at `_rate_hz`.
        cosines = np.cos(np.pi / bins * np.arange(bins + 1)[:, None] * np.arange(ORDER + 1))
        cosines[[0, -1]] /= 2
        self._basis = emphasis[:, None] * cosines

    def find(self, power: FloatArray, voiced: NDArray[np.bool_]) -> FloatArray:
        """The formants of voiced frames.

        Args:
            power: shape `(ticks, frames, 1 + n_fft // 2)`; every tick is one product of one shape, so that the bits do
                not depend on how many there are.
            voiced: which frames to look at, shape `(ticks, frames)`; those with energy.

        Returns:
            Hz, ascending, shape `(ticks, frames, 3)`; NaN where a frame has fewer, or is not voiced.
        """
        found = np.full((*voiced.shape, FORMANTS), np.nan, np.float32)
        band = np.ascontiguousarray(power[..., : len(self._basis)], np.float64)
        predictor = _levinson(np.matmul(band, self._basis)[voiced])
        companion = np.zeros((len(predictor), ORDER, ORDER))
        companion[:, 0] = -predictor[:, 1:]
        companion[:, np.arange(1, ORDER), np.arange(ORDER - 1)] = 1
        roots = np.linalg.eigvals(companion)
        hz = np.angle(roots) * self._rate_hz / (2 * np.pi)
        width_hz = -np.log(np.maximum(np.abs(roots), 1e-12)) * self._rate_hz / np.pi
        formant = (hz > LOWEST_FORMANT_HZ) & (hz < HIGHEST_HZ - LOWEST_FORMANT_HZ) & (width_hz < WIDEST_HZ)
        found[voiced] = np.sort(np.where(formant, hz, np.nan), axis=1)[:, :FORMANTS]
        return found


def _levinson(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levinson-Durbin recursion of every row `(frames, order + 1)` at once; predictors of the same shape, first 1."""
    order = correlation.shape[1] - 1
    predictor = np.zeros_like(correlation)
    predictor[:, 0] = 1
    error = correlation[:, 0] * (1 + WHITENING)
    for step in range(1, order + 1):
        reflection = -(predictor[:, :step] * correlation[:, step:0:-1]).sum(axis=1) / error
        predictor[:, : step + 1] += reflection[:, None] * predictor[:, step::-1]
        error = error * (1 - reflection**2)
    return predictor
