"""Extended signals of the sound: voice activity, formants, and the pitch of a tracker that looks at whole stretches."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import FloatArray
from kick_clip_generator.features.audio import FRAMES_PER_TICK, HOP, N_FFT, SAMPLE_RATE_HZ, SAMPLES_PER_TICK, SPARSE
from kick_clip_generator.features.audio import hann as hann_window
from kick_clip_generator.features.formants import FORMANTS, FormantFinder
from kick_clip_generator.features.pitch import HIGHEST_HZ, LOWEST_HZ, PitchFinder
from kick_clip_generator.features.registry import EXTENDED_AUDIO_NAMES
from kick_clip_generator.features.voice import LEAST_FRAMES_IN_TICK, median_of_known
from kick_clip_generator.features.voice_activity import VoiceActivity

DIO_PERIOD_MS = 10.0
# pyworld's default, speed 1, costs 37 CPU-seconds per hour in place of 6.
DIO_SPEED = 4
# DIO filters all it is given at once, so each tick is given with the half second before it, wherever a stretch begins:
# correlation 0.998 with one pass over five minutes, at the same price. Ticks without formants have no voice.
DIO_TICKS = 2
NO_PYWORLD = "The tracked pitch is unknown, because pyworld is not installed; install it with: pip install pyworld"

# Frames are taken of so many ticks at a time: 10 MB.
PASS_TICKS = 60


class ExtendedAudio:
    """Extended signals of the sound, see `ExtendedExtractor`."""

    names = EXTENDED_AUDIO_NAMES

    def __init__(self) -> None:
        self._window = hann_window(N_FFT)
        self._pitch = PitchFinder(self._window, SAMPLE_RATE_HZ)
        self._formants = FormantFinder(N_FFT, SAMPLE_RATE_HZ)
        self._activity: VoiceActivity | None = None

    def unavailable(self) -> dict[str, str]:
        """Names of which this machine can give only NaN, each with a sentence that says how to change that."""
        reasons = {"voice_activity": self._loaded_activity().unavailable}
        if importlib.util.find_spec("pyworld") is None:
            reasons["tracked_pitch"] = NO_PYWORLD
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def rows(self, pcm: NDArray[np.int16], ticks: int, *, first_tick: int = 0, skip: int = 0) -> FloatArray:
        """Float32 of shape `(ticks, len(names))`, see `ExtendedExtractor.rows`."""
        if pcm.ndim != 1 or len(pcm) % SAMPLES_PER_TICK or len(pcm) > ticks * SAMPLES_PER_TICK:
            raise ValueError(f"expected at most {ticks} ticks of {SAMPLES_PER_TICK} samples, got shape {pcm.shape}")
        rows = np.full((ticks, len(self.names)), np.nan, np.float32)
        heard = len(pcm) // SAMPLES_PER_TICK
        if heard:
            samples = pcm.astype(np.float32) / np.float32(32768)
            values = self._formants_of(samples, skip=skip)
            values |= tracked_pitch(samples, where=~np.isnan(values["formant_1"]))
            values |= self._activity_of(samples, first_tick, skip)
            rows[:heard] = np.stack([values[name] for name in self.names], axis=1)
        if first_tick > 0:
            rows[0] = np.nan
        rows[:skip] = np.nan
        return rows

    def parts(self) -> dict[str, Callable[[FloatArray], dict[str, FloatArray]]]:
        """Each computation by itself, for its price: samples in -1..1 to columns by name."""
        return {
            "voice activity": lambda samples: self._activity_of(samples, 0, 0),
            "tracked pitch": tracked_pitch,
            "formants": self._formants_of,
        }

    def _loaded_activity(self) -> VoiceActivity:
        if self._activity is None:
            self._activity = VoiceActivity()
        return self._activity

    def _activity_of(self, samples: FloatArray, first_tick: int, skip: int) -> dict[str, FloatArray]:
        return {"voice_activity": self._loaded_activity().probability(samples, first_tick=first_tick, skip=skip)}

    def _formants_of(self, samples: FloatArray, *, skip: int = 0) -> dict[str, FloatArray]:
        """Medians over the voiced frames of each tick, which are those of the core's pitch."""
        padded = np.concatenate([np.zeros(N_FFT - HOP, np.float32), samples])
        frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
        frames = frames[SPARSE - 1 :: SPARSE].reshape(-1, FRAMES_PER_TICK // SPARSE, N_FFT)
        parts = [np.full((min(skip, len(frames)), FORMANTS), np.nan, np.float32)]
        parts += [self._formants_in(frames[k : k + PASS_TICKS]) for k in range(skip, len(frames), PASS_TICKS)]
        return {f"formant_{n + 1}": column for n, column in enumerate(np.concatenate(parts).T)}

    def _formants_in(self, frames: FloatArray) -> FloatArray:
        spectrum = np.fft.rfft(frames * self._window, axis=-1)
        power = np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)
        voiced = ~np.isnan(self._pitch.find(power, np.asarray((frames**2).mean(axis=-1), np.float32)))
        found = self._formants.find(power, voiced)
        known = (~np.isnan(found)).sum(axis=1)
        medians = [median_of_known(found[..., n], known[:, n]) for n in range(FORMANTS)]
        return np.where(known >= LEAST_FRAMES_IN_TICK, np.stack(medians, axis=1), np.nan).astype(np.float32)


def tracked_pitch(samples: FloatArray, *, where: NDArray[np.bool_] | None = None) -> dict[str, FloatArray]:
    """`tracked_pitch`, the median per tick of DIO (Morise et al. 2009), which follows a voice through time.

    Args:
        samples: in -1..1, 16 kHz, whole ticks.
        where: the ticks to look at, bool, shape `(ticks,)`; None for all.

    Returns:
        Hz, shape `(ticks,)`; NaN without voice, where it is not looked for, in the first tick, and everywhere without
        pyworld.
    """
    ticks = len(samples) // SAMPLES_PER_TICK
    found = np.full(ticks, np.nan, np.float32)
    if importlib.util.find_spec("pyworld") is None:
        return {"tracked_pitch": found}
    pyworld: Any = importlib.import_module("pyworld")
    per_tick = round(1000 * SAMPLES_PER_TICK / SAMPLE_RATE_HZ / DIO_PERIOD_MS)
    sound = samples.astype(np.float64)
    asked = np.arange(ticks) if where is None else np.flatnonzero(where)
    for tick in asked[asked >= DIO_TICKS - 1]:
        pitch_hz, _ = pyworld.dio(
            sound[(tick + 1 - DIO_TICKS) * SAMPLES_PER_TICK : (tick + 1) * SAMPLES_PER_TICK],
            SAMPLE_RATE_HZ,
            f0_floor=LOWEST_HZ,
            f0_ceil=HIGHEST_HZ,
            frame_period=DIO_PERIOD_MS,
            speed=DIO_SPEED,
        )
        last = pitch_hz[(DIO_TICKS - 1) * per_tick : DIO_TICKS * per_tick]
        voiced = last[last > 0]
        if len(voiced) >= per_tick // 5:
            found[tick] = np.median(voiced)
    return {"tracked_pitch": found}
