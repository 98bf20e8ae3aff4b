"""The signals of the sound, on the tick grid: the spectrum's here, and what the files beside this make of it.

Definitions are librosa's at equal parameters (16 kHz, 1024-sample Hann frames every 250 samples, 64 Slaney mel bands,
no centering); a tick's value is the mean over the frames that end inside it. 250 samples divide a tick, so frames fall
on the same absolute instants wherever a run starts, and they end at or before the tick's end, so nothing looks ahead.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, FloatArray
from kick_clip_generator.features import rhythm
from kick_clip_generator.features.bursts import Bursts
from kick_clip_generator.features.loudness import Loudness, k_weighting
from kick_clip_generator.features.pitch import PitchFinder
from kick_clip_generator.features.registry import AUDIO_NAMES
from kick_clip_generator.features.voice import Voice

SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_TICK = int(SAMPLE_RATE_HZ * TICK_S)
N_FFT = 1024
HOP = 250
FRAMES_PER_TICK = SAMPLES_PER_TICK // HOP
FRAME_RATE_HZ = SAMPLE_RATE_HZ / HOP
# Pitch and contrast are taken of every second frame: the frames overlap by three quarters, and both would cost twice as
# much of all of them.
SPARSE = 2
N_MELS = 64
N_MFCC = 13
ROLL_PERCENT = 0.85
HIGH_HZ = 2_000.0
# The telephone band holds the fundamentals and first formants of voices, many at once included, and little of engines,
# rain and wind: of eight bands tried it told cheers and shouts from loud calm sounds best (area under the ROC curve
# 0.90 on the development streams; the band's level 0.70). The level of 1-4 kHz tells them from the background (0.94).
VOICE_HZ = (300.0, 3_400.0)
PRESENCE_HZ = (1_000.0, 4_000.0)
CONTRAST_EDGES_HZ = (0.0, 200.0, 400.0, 800.0, 1_600.0, 3_200.0, 6_400.0)
SILENCE_DB = -100.0

# Mel power under which nothing is audible (white noise of -74 dBFS): with librosa's 1e-10 the step from digital silence
# to the faintest hiss would be the strongest onset of a stream.
MEL_FLOOR = 1e-6
POWER_FLOOR = 1e-10

# Spectra of about 0.5 MB stay in the processor's cache: 4.3 CPU-s per hour of stream; 5.1 with passes half as long, 5.0
# with 30 s in one pass.
PASS_TICKS = 8

# Bins are summed in blocks of so many, of which only one is looked at bin by bin (513 = 19 x 27).
ROLL_BLOCK = 27

ENVELOPE_TICKS = int(rhythm.ENVELOPE_S / TICK_S)


class AudioFeatures:
    """Signals of consecutive PCM; keeps the little that the next block needs (last frame, five seconds of onsets).

    Pushing a stream in blocks of any number of ticks gives the same bits. In the first tick of a run only the frames
    that lie wholly inside the run count; tempo and beat strength are unknown for its first five seconds.
    """

    def __init__(self) -> None:
        self._window = hann(N_FFT)
        frequencies_hz = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE_HZ)
        mel = mel_filters(SAMPLE_RATE_HZ, N_FFT, N_MELS)
        all_bins = np.ones_like(frequencies_hz)
        # One product per tick yields all sums over power (mel bands, total, high) and one all over magnitude. The
        # frequency is centered and scaled so that the second moment keeps its digits in float32.
        bands = [
            all_bins,
            frequencies_hz >= HIGH_HZ,
            _inside(frequencies_hz, VOICE_HZ),
            _inside(frequencies_hz, PRESENCE_HZ),
        ]
        self._power_sums = np.column_stack([mel.T, *bands, k_weighting(frequencies_hz)]).astype(np.float32)
        # Each band of the contrast takes the bin under its lower edge with it, as librosa's do.
        edges = [int(np.searchsorted(frequencies_hz, edge_hz)) for edge_hz in CONTRAST_EDGES_HZ]
        self._contrast_edges = [max(0, edge - 1) for edge in edges]
        # Parseval: what makes the one-sided power sum of a frame its mean square.
        self._mean_square = np.float32(2 / (N_FFT * (self._window**2).sum()))
        self._nyquist_hz = SAMPLE_RATE_HZ / 2
        unit = 2 * frequencies_hz / self._nyquist_hz - 1
        blocks = np.repeat(np.eye(len(unit) // ROLL_BLOCK), ROLL_BLOCK, axis=0)
        self._magnitude_sums = np.column_stack([all_bins, unit, unit**2, blocks]).astype(np.float32)
        self._dct = _dct(N_MFCC, N_MELS)
        self._pitch = PitchFinder(self._window, SAMPLE_RATE_HZ)
        self._voice = Voice(FRAMES_PER_TICK // SPARSE)
        self._bursts = Bursts(FRAMES_PER_TICK, FRAME_RATE_HZ)
        self._loudness = Loudness(SAMPLES_PER_TICK, HOP, N_FFT)
        # OpenCV's own threads cost more than they bring on transforms this short.
        cv2.setNumThreads(1)
        self.reset()

    def reset(self) -> None:
        """Forget the run: what comes next starts a new one."""
        self._tail = np.zeros(N_FFT - HOP, np.float32)
        self._last_mel_db = np.full(N_MELS, np.nan, np.float32)
        self._onsets = np.full(ENVELOPE_TICKS * FRAMES_PER_TICK, np.nan, np.float32)
        self._last_negative = np.zeros(0, np.bool_)
        self._fresh = True
        for part in (self._voice, self._bursts, self._loudness):
            part.reset()

    def push(self, pcm: NDArray[np.int16]) -> FloatArray:
        """The next whole ticks of the run.

        Args:
            pcm: int16 mono at 16 kHz, shape `(ticks * 8000,)`.

        Returns:
            float32, shape `(ticks, len(AUDIO_NAMES))`.

        Raises:
            ValueError: when the samples are not whole ticks.
        """
        if pcm.ndim != 1 or len(pcm) % SAMPLES_PER_TICK:
            raise ValueError(f"expected whole ticks of {SAMPLES_PER_TICK} samples, got shape {pcm.shape}")
        ticks = len(pcm) // SAMPLES_PER_TICK
        if not ticks:
            return np.empty((0, len(AUDIO_NAMES)), np.float32)
        samples = np.concatenate([self._tail, pcm.astype(np.float32) / np.float32(32768)])
        self._tail = samples[len(samples) - len(self._tail) :].copy()
        frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP]
        size = PASS_TICKS * FRAMES_PER_TICK
        passes = [self._spectral(frames[start : start + size]) for start in range(0, len(frames), size)]
        columns = {name: np.concatenate([found[name] for found in passes]) for name in passes[0]}
        mel_db, pitch_hz = columns.pop("mel_db"), columns.pop("pitch_hz")
        onsets = columns["onset_strength"] = self._onset_strength(mel_db)
        per_frame = np.stack(list(columns.values()), axis=1)
        if self._fresh:
            # These frames reach back before the run.
            per_frame[: math.ceil(N_FFT / HOP) - 1] = np.nan
            self._fresh = False
        means = _known_mean(per_frame.reshape(ticks, FRAMES_PER_TICK, -1))
        known = dict(zip(columns, per_frame.T, strict=True))
        values = dict(zip(columns, means.T, strict=True))
        values["rms_db"] = _decibels(values["rms"] ** 2)
        values["presence_db"] = _decibels(values["presence_db"])
        values["zcr"] = self._zero_crossing_rate(pcm)
        values["tempo"], values["beat_strength"] = self._rhythm(onsets, ticks)
        mean_square = known["rms"] ** 2
        sparse_square = mean_square.reshape(ticks, FRAMES_PER_TICK)[:, SPARSE - 1 :: SPARSE]
        pitch_hz[np.isnan(sparse_square)] = np.nan
        values |= self._voice.push(pitch_hz, sparse_square)
        values |= self._bursts.push(mean_square)
        own = samples[len(samples) - len(pcm) :]
        values |= self._loudness.push(own, known["k_share"].reshape(ticks, -1), values["rms_db"])
        return np.stack([values[name] for name in AUDIO_NAMES], axis=1).astype(np.float32)

    def _spectral(self, frames: FloatArray) -> dict[str, FloatArray]:
        """Of whole ticks of frames: values per frame, NaN where it holds no energy at all; besides the mel spectrum in
        dB, `(frames, N_MELS)`, and the pitch of every `SPARSE`th frame, `(ticks, frames per tick)`."""
        ticks = len(frames) // FRAMES_PER_TICK
        power = _power_spectra(frames * self._window)
        magnitude = np.sqrt(power)
        power_sums = self._sum_bins(power, self._power_sums, ticks)
        mel_db = np.asarray(10 * np.log10(np.maximum(power_sums[:, :N_MELS], MEL_FLOOR)), np.float32)
        total_power, high_power, voice_power, presence_power, weighted_power = power_sums[:, N_MELS:].T
        magnitude_sums = self._sum_bins(magnitude, self._magnitude_sums, ticks)
        with np.errstate(divide="ignore", invalid="ignore"):
            total, first, second = magnitude_sums[:, :3].T
            center = first / total
            spread = np.sqrt(np.maximum(second / total - center**2, 0))
        silent = total_power == 0
        loud = np.where(silent, np.float32(1), total_power)
        rolloff_bin = _rolloff_bin(magnitude, magnitude_sums[:, 3:])
        audible_power = np.maximum(power, np.float32(POWER_FLOOR))
        flatness = np.exp(np.log(audible_power).mean(axis=1)) / audible_power.mean(axis=1)
        half_hz = np.float32(self._nyquist_hz / 2)
        mean_square = np.einsum("ij,ij->i", frames, frames) / np.float32(N_FFT)
        columns = {
            "spectral_centroid": (center + 1) * half_hz,
            "spectral_bandwidth": spread * half_hz,
            "spectral_rolloff": np.where(silent, np.nan, rolloff_bin * np.float32(SAMPLE_RATE_HZ / N_FFT)),
            "spectral_flatness": np.where(silent, np.nan, flatness),
            "high_freq_ratio": np.where(silent, np.nan, high_power / loud),
            "voice_band_ratio": np.where(silent, np.nan, voice_power / loud),
            "presence_db": presence_power * self._mean_square,
            "rms": np.sqrt(mean_square),
            "spectral_contrast": self.contrast(power),
            "k_share": weighted_power / loud,
            "mel_db": mel_db,
        }
        mfcc = self._sum_bins(mel_db, self._dct, ticks)
        columns |= {f"mfcc_{n + 1}": mfcc[:, n] for n in range(N_MFCC)}
        sparse = slice(SPARSE - 1, None, SPARSE)
        sparse_power = power.reshape(ticks, FRAMES_PER_TICK, -1)[:, sparse]
        columns["pitch_hz"] = self._pitch.find(sparse_power, mean_square.reshape(ticks, -1)[:, sparse])
        return columns

    def contrast(self, power: FloatArray) -> FloatArray:
        """How far the highest bin of an octave stands over its lowest, in dB, mean over the bands.

        Of power spectra `(frames, 1 + n_fft // 2)`; every second frame is unknown, and so is digital silence.

        librosa takes the mean of the highest and lowest 2 %, which is one bin but for the upper bands, and needs a sort
        that costs seven times as much.
        """
        audible = np.maximum(power[SPARSE - 1 :: SPARSE], np.float32(POWER_FLOOR))
        highest = np.maximum.reduceat(audible, self._contrast_edges, axis=1)
        lowest = np.minimum.reduceat(audible, self._contrast_edges, axis=1)
        contrast = np.full(len(power), np.nan, np.float32)
        decibels = (10 * np.log10(highest / lowest)).mean(axis=1)
        # A frame of digital silence has no energy in any band.
        contrast[SPARSE - 1 :: SPARSE] = np.where((highest > POWER_FLOOR).any(axis=1), decibels, np.nan)
        return contrast

    @staticmethod
    def _sum_bins(values: FloatArray, weights: FloatArray, ticks: int) -> FloatArray:
        # One product per tick, all of one shape: BLAS picks its kernel by the number of rows, so a single product over
        # the block would give other last bits for other block lengths.
        product = np.matmul(values.reshape(ticks, FRAMES_PER_TICK, -1), weights)
        return np.asarray(product.reshape(len(values), -1), np.float32)

    def _onset_strength(self, mel_db: FloatArray) -> FloatArray:
        before = np.concatenate([self._last_mel_db[None], mel_db[:-1]])
        if self._fresh:
            before[: math.ceil(N_FFT / HOP)] = np.nan
        self._last_mel_db = mel_db[-1].copy()
        return np.asarray(np.maximum(mel_db - before, 0).mean(axis=1), np.float32)

    def _rhythm(self, onsets: FloatArray, ticks: int) -> tuple[FloatArray, FloatArray]:
        known = np.concatenate([self._onsets, onsets])
        self._onsets = known[len(known) - len(self._onsets) :].copy()
        envelopes = np.lib.stride_tricks.sliding_window_view(known, len(self._onsets))[FRAMES_PER_TICK::FRAMES_PER_TICK]
        return rhythm.tempo_and_beat(envelopes, frame_rate_hz=FRAME_RATE_HZ)

    def _zero_crossing_rate(self, pcm: NDArray[np.int16]) -> FloatArray:
        negative = pcm < 0
        before = np.concatenate([self._last_negative if len(self._last_negative) else negative[:1], negative[:-1]])
        self._last_negative = negative[-1:].copy()
        crossings = (negative != before).reshape(-1, SAMPLES_PER_TICK).sum(axis=1)
        return np.asarray(crossings / SAMPLES_PER_TICK, np.float32)


def mel_filters(sample_rate_hz: int, n_fft: int, n_mels: int) -> FloatArray:
    """Triangular mel filters with unit area (Slaney), as `librosa.filters.mel`; shape `(n_mels, 1 + n_fft // 2)`."""
    # Slaney's scale: linear to 1 kHz (15 mels), then 27 mels per factor 6.4.
    top_mel = 15 + 27 * math.log(sample_rate_hz / 2 / 1000) / math.log(6.4)
    mels = np.linspace(0, top_mel, n_mels + 2)
    edges_hz = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))
    bins_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate_hz)
    low, mid, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    triangles = np.maximum(0, np.minimum((bins_hz - low) / (mid - low), (high - bins_hz) / (high - mid)))
    return np.asarray(triangles * 2 / (high - low), np.float32)


def _power_spectra(frames: FloatArray) -> FloatArray:
    """One-sided power spectra of real frames `(n, size)`; shape `(n, size // 2 + 1)`."""
    # A quarter of the time of numpy's transform. A row holds Re 0, then Re and Im of each bin, and Re of the last.
    packed = np.asarray(cv2.dft(frames, flags=cv2.DFT_ROWS), np.float32)
    np.multiply(packed, packed, out=packed)
    power = np.empty((len(packed), packed.shape[1] // 2 + 1), np.float32)
    power[:, 0], power[:, -1] = packed[:, 0], packed[:, -1]
    np.add(packed[:, 1:-1:2], packed[:, 2::2], out=power[:, 1:-1])
    return power


def _rolloff_bin(magnitude: FloatArray, blocks: FloatArray) -> NDArray[np.intp]:
    """The bin up to which each frame holds `ROLL_PERCENT` of its magnitude.

    Args:
        magnitude: shape `(n, bins)`.
        blocks: its sums over each `ROLL_BLOCK` bins.
    """
    below = np.cumsum(blocks, axis=1)
    wanted = np.float32(ROLL_PERCENT) * below[:, -1]
    rows = np.arange(len(below))
    block = np.minimum((below < wanted[:, None]).sum(axis=1), below.shape[1] - 1)
    inside = magnitude.reshape(len(magnitude), -1, ROLL_BLOCK)[rows, block]
    rest = wanted - np.where(block > 0, below[rows, block - 1], np.float32(0))
    inner = (np.cumsum(inside, axis=1) < rest[:, None]).sum(axis=1)
    return np.asarray(block * ROLL_BLOCK + np.minimum(inner, ROLL_BLOCK - 1), np.intp)


def _inside(frequencies_hz: NDArray[np.floating], band_hz: tuple[float, float]) -> NDArray[np.bool_]:
    return (frequencies_hz >= band_hz[0]) & (frequencies_hz < band_hz[1])


def _decibels(mean_square: FloatArray) -> FloatArray:
    decibels = 10 * np.log10(np.maximum(mean_square, 1e-20))
    return np.asarray(np.maximum(decibels, SILENCE_DB), np.float32)


def hann(size: int) -> FloatArray:
    """Periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size), np.float32)


def _dct(coefficients: int, size: int) -> FloatArray:
    """Orthonormal DCT-II, shape `(size, coefficients)`."""
    basis = np.cos(np.pi / size * (np.arange(size)[:, None] + 0.5) * np.arange(coefficients)) * math.sqrt(2 / size)
    basis[:, 0] /= math.sqrt(2)
    return np.asarray(basis, np.float32)


def _known_mean(values: FloatArray) -> FloatArray:
    """Mean over axis 1 of what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan), np.float32)
