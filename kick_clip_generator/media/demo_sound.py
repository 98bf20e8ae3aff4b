"""The sound of the demo stream: a quiet room with music, a crowd that cheers, an engine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.media.demo_script import DemoEvent, Floats, excitement

RATE_HZ = 48000
LOOP_S = 8
BLOCK_S = 5


def demo_sound(events: list[DemoEvent], duration_s: float, seed: int) -> Iterator[bytes]:
    """Stereo s16le in blocks of 5 s."""
    rng = np.random.default_rng([seed, 2])
    room = 0.012 * _noise(rng, 150, 1.2)
    # A crowd is many voices, which crest around the vowels' formants, and hands.
    voices = [0.16 * _noise(rng, hz, 0.25) * _flutter(rng) for hz in (480, 700, 1000, 1450, 2100, 3000)]
    cheer = np.sum(voices, axis=0) + _claps(rng)
    murmur = 0.02 * _noise(rng, 450, 0.5) * _flutter(rng)
    whistles = [
        (event.start_s + float(at), float(rng.uniform(1900, 2600)))
        for event in events
        if event.kind in ("both", "audio")
        for at in rng.uniform(0.6, (event.end_s - event.start_s) * 0.6, 3)
    ]
    total = round(duration_s * RATE_HZ)
    for begin in range(0, total, BLOCK_S * RATE_HZ):
        index = np.arange(begin, min(begin + BLOCK_S * RATE_HZ, total))
        times_s = np.asarray(index / RATE_HZ, np.float32)
        loop = index % (LOOP_S * RATE_HZ)
        block = room[:, loop] + murmur[:, loop] + _music(index)
        crowd = excitement(events, times_s, "both", "audio")
        if crowd.any():
            block = block + cheer[:, loop] * crowd
        engine = excitement(events, times_s, "engine")
        if engine.any():
            block = block + engine * _engine(index)
        for at_s, hz in whistles:
            if times_s[0] - 1 < at_s < times_s[-1]:
                block = block + _whistle(times_s - at_s, hz)
        yield np.asarray(np.tanh(block) * 32000, "<i2").T.tobytes()


def _noise(rng: np.random.Generator, center_hz: float, octaves: float) -> Floats:
    """Band-passed noise of RMS 1 that loops without a seam, shape `(2, LOOP_S * RATE_HZ)`: the band is log-normal."""
    samples = LOOP_S * RATE_HZ
    frequencies_hz = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    shape = np.zeros(len(frequencies_hz))
    shape[1:] = np.exp(-0.5 * (np.log2(frequencies_hz[1:] / center_hz) / octaves) ** 2)
    phases = rng.uniform(0, 2 * np.pi, (2, len(shape)))
    waves = np.fft.irfft(shape * np.exp(1j * phases), samples)
    return np.asarray(waves / waves.std(axis=1, keepdims=True), np.float32)


def _flutter(rng: np.random.Generator) -> Floats:
    """A slow uneven loudness around 1, as of people who shout in turn."""
    knots = np.append(rng.uniform(0.5, 1.5, LOOP_S * 4), 0)
    knots[-1] = knots[0]
    samples = LOOP_S * RATE_HZ
    return np.asarray(np.interp(np.arange(samples) * (LOOP_S * 4 / samples), np.arange(len(knots)), knots), np.float32)


def _claps(rng: np.random.Generator) -> Floats:
    """Some 30 claps a second, each a burst of 12 ms."""
    samples = LOOP_S * RATE_HZ
    length = round(0.012 * RATE_HZ)
    clap = rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 4))
    hits = np.zeros((2, samples))
    for side in hits:
        side[rng.integers(0, samples, 30 * LOOP_S)] = rng.uniform(0.1, 0.4, 30 * LOOP_S)
    waves = np.fft.irfft(np.fft.rfft(hits) * np.fft.rfft(clap, samples), samples)
    return np.asarray(waves, np.float32)


def _music(index: NDArray[np.int64]) -> Floats:
    """Four soft chords of 2 s each, over and over."""
    chords_hz = np.array([[220.0, 277.2, 329.6], [196.0, 246.9, 293.7], [174.6, 220.0, 261.6], [196.0, 246.9, 329.6]])
    within_s = (index % (2 * RATE_HZ)) / RATE_HZ
    notes_hz = chords_hz[(index // (2 * RATE_HZ)) % 4].T
    soft = np.minimum(within_s * 4, 1) * np.exp(-within_s)
    return np.asarray(0.012 * np.sin(2 * np.pi * notes_hz * within_s).sum(axis=0) * soft, np.float32)


def _engine(index: NDArray[np.int64]) -> Floats:
    """As loud as the crowd, but nothing happens: the harmonics of 84 Hz, steady."""
    turn = 2 * np.pi * 84 * (index / RATE_HZ)
    return np.asarray(sum(0.22 / k * np.sin(k * turn + k) for k in range(1, 9)), np.float32)


def _whistle(times_s: Floats, hz: float) -> Floats:
    inside = (times_s >= 0) & (times_s < 0.6)
    glide = 2 * np.pi * (hz * times_s + 500 * times_s**2 + 3 * np.sin(40 * times_s))
    return np.asarray(np.where(inside, 0.12 * np.sin(glide) * np.sin(np.pi * times_s / 0.6), 0), np.float32)
