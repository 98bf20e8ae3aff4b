"""Laws of the voice signals on made voices."""

from __future__ import annotations

import numpy as np
import pytest

from kick_clip_generator.features.audio import SAMPLE_RATE_HZ, SAMPLES_PER_TICK, AudioFeatures
from kick_clip_generator.features.formants import FormantFinder
from kick_clip_generator.features.registry import AUDIO_NAMES

RESONANCES_HZ = (700.0, 1_200.0, 2_600.0)


def voice(pitch_hz: np.ndarray | float, duration_s: float, level: float = 0.1) -> np.ndarray:
    """Pulses at a pitch, which may glide, through the resonances of an open vowel."""
    count = int(duration_s * SAMPLE_RATE_HZ)
    phase = np.cumsum(np.broadcast_to(np.asarray(pitch_hz, float), count)) / SAMPLE_RATE_HZ
    pulses = np.zeros(count)
    pulses[np.flatnonzero(np.diff(np.floor(phase), prepend=0))] = 1
    response = np.zeros(2048)
    response[0] = 1
    for resonance_hz in RESONANCES_HZ:
        radius = np.exp(-np.pi * 80 / SAMPLE_RATE_HZ)
        feedback = 2 * radius * np.cos(2 * np.pi * resonance_hz / SAMPLE_RATE_HZ), -(radius**2)
        for index in range(2, len(response)):
            response[index] += feedback[0] * response[index - 1] + feedback[1] * response[index - 2]
    size = 1 << (count + len(response)).bit_length()
    sound = np.fft.irfft(np.fft.rfft(pulses, size) * np.fft.rfft(response, size), size)[:count]
    return level * sound / np.abs(sound).max()


def signals(sound: np.ndarray) -> dict[str, np.ndarray]:
    whole = len(sound) // SAMPLES_PER_TICK * SAMPLES_PER_TICK
    pcm = np.round(np.clip(sound[:whole], -1, 1) * 32767).astype(np.int16)
    return dict(zip(AUDIO_NAMES, AudioFeatures().push(pcm).T, strict=True))


@pytest.mark.parametrize("pitch_hz", [75, 110, 180, 260, 410, 550])
def test_a_voice_has_its_pitch(pitch_hz):
    values = signals(voice(pitch_hz, 4) + 1e-4 * np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE_HZ))
    assert values["pitch"][1:] == pytest.approx(pitch_hz, rel=0.01)
    assert values["voiced_ratio"][1:].min() > 0.95
    assert values["pitch_std"][4:].max() < 0.1
    assert values["pitch_jitter"][4:].max() < 0.01


@pytest.mark.parametrize("frequency_hz", [80, 137, 300, 590])
def test_a_tone_is_its_own_pitch(frequency_hz):
    tone = 0.3 * np.sin(2 * np.pi * frequency_hz * np.arange(3 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)
    assert signals(tone)["pitch"][1:] == pytest.approx(frequency_hz, rel=0.003)


def test_noise_and_silence_have_no_pitch():
    noise = signals(0.1 * np.random.default_rng(1).standard_normal(10 * SAMPLE_RATE_HZ))
    assert noise["voiced_ratio"].mean() < 0.1
    # A voice under -60 dBFS is too quiet to be one.
    for sound in (np.zeros(5 * SAMPLE_RATE_HZ), voice(150, 5, level=5e-4)):
        values = signals(sound)
        assert np.all(values["voiced_ratio"] == 0)
        for name in ("pitch", "voiced_db", "pitch_std", "pitch_jitter"):
            assert np.isnan(values[name]).all(), name


def test_a_livelier_voice_has_the_larger_spread_and_a_trembling_one_the_larger_jitter():
    time_s = np.arange(6 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    flat, lively = (signals(voice(150 * 2 ** (swing * np.sin(2 * np.pi * 0.7 * time_s) / 12), 6)) for swing in (0.5, 4))
    assert np.all(lively["pitch_std"][4:] > flat["pitch_std"][4:] + 1)
    # A sine of 4 semitones has a standard deviation of 4 / sqrt(2).
    assert np.mean(lively["pitch_std"][4:]) == pytest.approx(4 / np.sqrt(2), rel=0.15)
    steady, trembling = (signals(voice(150 * (1 + depth * np.sin(2 * np.pi * 9 * time_s)), 6)) for depth in (0, 0.05))
    assert np.all(trembling["pitch_jitter"][4:] > 5 * steady["pitch_jitter"][4:] + 0.01)


def test_speaking_energy_is_the_level_of_the_voice_alone():
    speech = voice(200, 6)
    paused = speech.copy()
    paused[np.arange(len(paused)) % SAMPLES_PER_TICK >= SAMPLES_PER_TICK // 2] = 0
    whole, half = signals(speech), signals(paused)
    assert np.all(half["rms_db"][2:] < whole["rms_db"][2:] - 2)
    assert half["voiced_db"][2:] == pytest.approx(whole["voiced_db"][2:], abs=2)
    assert signals(10 ** (6 / 20) * speech)["voiced_db"] == pytest.approx(whole["voiced_db"] + 6, abs=0.1)


def test_half_the_tick_is_half_the_share():
    sound = voice(200, 8)
    sound[4 * SAMPLE_RATE_HZ :][np.arange(4 * SAMPLE_RATE_HZ) % SAMPLES_PER_TICK >= SAMPLES_PER_TICK // 2] = 0
    share = signals(sound)["voiced_ratio"]
    assert share[2:8].min() == 1.0
    assert 0.4 < share[9:].mean() < 0.7


@pytest.mark.parametrize("pitch_hz", [100, 140])
def test_the_formants_of_a_made_vowel_are_its_resonances(pitch_hz):
    frame = voice(pitch_hz, 1)[4000 : 4000 + 1024] * np.hanning(1024)
    power = np.abs(np.fft.rfft(frame)) ** 2
    power = np.stack([power, power])[None].astype(np.float32)
    found = FormantFinder(1024, SAMPLE_RATE_HZ).find(power, np.array([[True, False]]))
    assert np.isnan(found[0, 1]).all()
    assert found[0, 0] == pytest.approx(RESONANCES_HZ, rel=0.08)
