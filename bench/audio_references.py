"""What librosa and ffmpeg make of the same sound, on the tick grid: what the fast signals are compared with."""

from __future__ import annotations

import re
import subprocess

import numpy as np

from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.features.audio import (
    FRAMES_PER_TICK,
    HOP,
    N_FFT,
    N_MELS,
    SAMPLE_RATE_HZ,
    SAMPLES_PER_TICK,
)
from kick_clip_generator.features.pitch import HIGHEST_HZ, LOWEST_HZ
from kick_clip_generator.features.voice import LEAST_FRAMES_IN_TICK

READINGS_PER_TICK = 5


def librosa_signals(pcm: np.ndarray) -> dict[str, np.ndarray]:
    """Spectral signals of librosa at our frames, mean per tick; NaN where a frame is digital silence, which it calls 0.

    Raises:
        ImportError: without librosa, which comes with the bench extra.
    """
    import librosa

    samples = pcm.astype(np.float32) / 32768
    # As many zeros before as make frame j end at (j + 1) * HOP.
    padded = np.concatenate([np.zeros(N_FFT - HOP, np.float32), samples])
    framing = {"hop_length": HOP, "center": False}
    magnitude = np.abs(librosa.stft(padded, n_fft=N_FFT, **framing))
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=SAMPLE_RATE_HZ, n_mels=N_MELS)
    mel_db = librosa.power_to_db(mel, amin=1e-6, top_db=None)
    feature = librosa.feature
    per_frame = {
        "rms": feature.rms(y=padded, frame_length=N_FFT, **framing)[0],
        "spectral_centroid": feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE_HZ)[0],
        "spectral_bandwidth": feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE_HZ)[0],
        "spectral_rolloff": feature.spectral_rolloff(S=magnitude, sr=SAMPLE_RATE_HZ)[0],
        "spectral_flatness": feature.spectral_flatness(S=magnitude)[0],
        "spectral_contrast": feature.spectral_contrast(S=magnitude**2, sr=SAMPLE_RATE_HZ).mean(axis=0),
        "zcr": feature.zero_crossing_rate(padded, frame_length=N_FFT, **framing)[0],
        "onset_strength": librosa.onset.onset_strength(S=mel_db, sr=SAMPLE_RATE_HZ, center=False),
    } | {f"mfcc_{n + 1}": row for n, row in enumerate(feature.mfcc(S=mel_db, n_mfcc=13))}
    silent = (magnitude.max(axis=0) == 0).reshape(-1, FRAMES_PER_TICK).any(axis=1)
    return {
        name: np.where(silent, np.nan, frames.reshape(-1, FRAMES_PER_TICK).mean(axis=1))
        for name, frames in per_frame.items()
    }


def librosa_pitch(pcm: np.ndarray) -> np.ndarray:
    """Median per tick of `librosa.pyin`, Hz; NaN without voice. It takes about half the time that the sound lasts.

    Raises:
        ImportError: without librosa, which comes with the bench extra.
    """
    import librosa

    padded = np.concatenate([np.zeros(N_FFT - HOP, np.float32), pcm.astype(np.float32) / 32768])
    pitch_hz, _, _ = librosa.pyin(
        padded, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=SAMPLE_RATE_HZ, frame_length=N_FFT, hop_length=2 * HOP, center=False
    )
    frames = pitch_hz.reshape(-1, FRAMES_PER_TICK // 2)
    enough = (~np.isnan(frames)).sum(axis=1) >= LEAST_FRAMES_IN_TICK
    return np.array([np.nanmedian(row) if known else np.nan for row, known in zip(frames, enough, strict=True)])


def ffmpeg_signals(ffmpeg: str, pcm: np.ndarray) -> dict[str, np.ndarray]:
    """Levels and loudness by ffmpeg's `astats` and `ebur128`; of momentary loudness a tick's largest reading."""
    ticks = len(pcm) // SAMPLES_PER_TICK
    astats = f"asetnsamples={SAMPLES_PER_TICK},astats=metadata=1:reset=1"
    signals = {"level_db": _metadata(ffmpeg, pcm, astats, "lavfi.astats.Overall.RMS_level")[:ticks]}
    for name, key in (("lufs_momentary", "M"), ("lufs_short", "S")):
        readings = _metadata(ffmpeg, pcm, "ebur128=metadata=1", f"lavfi.r128.{key}")
        whole = readings[: len(readings) // READINGS_PER_TICK * READINGS_PER_TICK].reshape(-1, READINGS_PER_TICK)
        column = np.full(ticks, np.nan)
        column[: len(whole)] = whole.max(axis=1) if key == "M" else whole[:, -1]
        first = 2 if key == "M" else round(3 / TICK_S)
        # Until its window is full, and where nothing is heard, the filter reports its floor.
        column[:first] = np.nan
        signals[name] = np.where(column > -70, column, np.nan)
    return signals


def correlation(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Pearson's, over the ticks that both know; NaN if those are too few or all alike."""
    known = np.isfinite(ours) & np.isfinite(theirs)
    if known.sum() < 3 or np.ptp(ours[known]) == 0 or np.ptp(theirs[known]) == 0:
        return float("nan")
    return float(np.corrcoef(ours[known].astype(float), theirs[known].astype(float))[0, 1])


def _metadata(ffmpeg: str, pcm: np.ndarray, filters: str, key: str) -> np.ndarray:
    command = [ffmpeg, "-v", "error", "-nostdin", "-f", "s16le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-i", "pipe:0"]
    command += ["-af", f"{filters},ametadata=print:key={key}:file=-", "-f", "null", "-"]
    said = subprocess.run(command, input=pcm.tobytes(), capture_output=True, check=True).stdout.decode()
    return np.array([float(value) for value in re.findall(rf"{re.escape(key)}=(\S+)", said)])
