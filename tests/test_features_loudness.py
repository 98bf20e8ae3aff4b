"""Laws of loudness, outbursts, bursts and spectral contrast; agreement with ffmpeg's own meters."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest

from kick_clip_generator.features.audio import SAMPLE_RATE_HZ, SAMPLES_PER_TICK, AudioFeatures
from kick_clip_generator.features.registry import AUDIO_NAMES
from kick_clip_generator.media.ffmpeg import ffmpeg_path


def to_pcm(sound: np.ndarray) -> np.ndarray:
    whole = len(sound) // SAMPLES_PER_TICK * SAMPLES_PER_TICK
    return np.round(np.clip(sound[:whole], -1, 1) * 32767).astype(np.int16)


def signals(sound: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(AUDIO_NAMES, AudioFeatures().push(to_pcm(sound)).T, strict=True))


def noise(duration_s: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(int(duration_s * SAMPLE_RATE_HZ))


def tone(frequency_hz: float, duration_s: float, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * frequency_hz * np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)


def pulses(rate_hz: float, duration_s: float, *, note_s: float = 0.075) -> np.ndarray:
    """Notes of noise at a rate, as in laughter."""
    time_s = np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return noise(duration_s) * ((time_s * rate_hz) % 1 < note_s * rate_hz)


def meter(pcm: np.ndarray, filters: str, key: str) -> np.ndarray:
    """What an ffmpeg filter says of PCM, one value per frame of it."""
    command = [ffmpeg_path(None), "-v", "error", "-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "-"]
    command += ["-af", f"{filters},ametadata=print:file=-", "-f", "null", "-"]
    said = subprocess.run(command, input=pcm.tobytes(), capture_output=True, check=True).stdout.decode()
    return np.array([float(value) for value in re.findall(rf"{re.escape(key)}=(\S+)", said)])


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Twenty seconds whose level and color change at any time, with pauses."""
    parts = [noise(2.3, 0.02), tone(150, 3.1, 0.4), pulses(5, 4.2), noise(1.9, 0.3), noise(3.7, 0.001), tone(3000, 4.8)]
    return np.concatenate(parts)


def test_a_full_scale_sine_of_1_khz_has_the_loudness_of_the_standard():
    values = signals(tone(997, 6, level=1.0))
    assert values["lufs_short"][6:] == pytest.approx(-3.01, abs=0.05)
    assert values["lufs_momentary"][2:] == pytest.approx(-3.01, abs=0.05)


def test_lows_are_weighed_down_and_highs_up():
    low, middle, high = (signals(tone(hz, 5))["lufs_short"][-1] for hz in (40, 997, 4000))
    assert low < middle - 5 and high > middle + 2.5


def test_levels_agree_with_the_meters_of_ffmpeg(scene):
    pcm, values = to_pcm(scene), signals(scene)
    astats = "asetnsamples=8000,astats=metadata=1:reset=1"
    theirs = meter(pcm, astats, "lavfi.astats.Overall.RMS_level")[: len(values["level_db"])]
    assert values["level_db"] == pytest.approx(theirs, abs=0.1)

    momentary, short = (meter(pcm, "ebur128=metadata=1", f"lavfi.r128.{key}") for key in "MS")
    ticks = len(momentary) // 5
    # ffmpeg's own weighting at 16 kHz is 0.04 to 0.15 LU louder than the standard's at 48 kHz.
    theirs = momentary[: ticks * 5].reshape(-1, 5).max(axis=1)
    assert np.median(np.abs(values["lufs_momentary"][2:ticks] - theirs[2:])) < 0.15
    assert np.mean(np.abs(values["lufs_momentary"][2:ticks] - theirs[2:]) < 0.3) > 0.9
    theirs = short[: ticks * 5].reshape(-1, 5)[:, -1]
    # Not all: a filter rings on from a loud sound into a quiet one, which a spectrum does not.
    assert np.mean(np.abs(values["lufs_short"][6:ticks] - theirs[6:]) < 0.3) > 0.95


def test_steady_sound_has_one_level_however_it_is_measured():
    values = signals(noise(10))
    assert values["rms_db"][1:] == pytest.approx(values["level_db"][1:], abs=0.1)


def test_an_explosion_after_silence_is_a_surge_and_its_rest_is_none():
    values = signals(np.concatenate([noise(5, 0.003), noise(5, 0.3), noise(5, 0.003)]))
    surge = values["surge_db"]
    assert np.isnan(surge[:6]).all()
    assert surge[10] == pytest.approx(40, abs=1)
    assert np.abs(surge[12:20]).max() < 1
    assert surge[20:26].max() < -20
    louder_start = signals(np.concatenate([noise(5, 0.03), noise(5, 0.3)]))["surge_db"]
    assert louder_start[10] == pytest.approx(20, abs=1)


def test_from_digital_silence_a_hiss_is_no_surge():
    dither = np.random.default_rng(0).integers(-1, 2, 5 * SAMPLE_RATE_HZ) / 32767
    assert np.nanmax(signals(np.concatenate([np.zeros(5 * SAMPLE_RATE_HZ), dither]))["surge_db"]) == 0


@pytest.mark.parametrize("rate_hz", [3.0, 4.8, 7.0])
def test_bursts_are_counted(rate_hz):
    values = signals(pulses(rate_hz, 10) + noise(10, 1e-3, seed=1))
    assert np.isnan(values["burst_rate"][:3]).all()
    assert values["burst_rate"][6:] == pytest.approx(rate_hz, abs=1.01)
    assert np.mean(values["burst_rate"][6:]) == pytest.approx(rate_hz, abs=0.3)


def test_bursts_swing_deep_and_a_crowd_of_them_does_not():
    one = pulses(5, 10)
    crowd = sum(np.roll(pulses(4 + seed / 10, 10), 700 * seed) for seed in range(30))
    steady = noise(10)
    depth = [np.nanmean(signals(sound)["modulation_4hz"]) for sound in (one, crowd / 5, steady)]
    assert depth[0] > 0.5 and depth[0] > 2 * depth[1] and depth[2] < 0.1
    assert np.nanmax(signals(steady)["burst_rate"]) < 0.5


def test_swings_count_between_3_and_8_hz():
    time_s = np.arange(10 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    depth = {
        rate_hz: np.nanmean(signals(noise(10) * (1 + 0.8 * np.sin(2 * np.pi * rate_hz * time_s)))["modulation_4hz"])
        for rate_hz in (1, 5, 14)
    }
    # The part of the envelope between 3 and 8 Hz is a sine of 0.8, of which frames of 64 ms smooth away a fifth.
    assert depth[5] == pytest.approx(0.8 * 0.8 / np.sqrt(2), rel=0.1)
    assert depth[5] > 4 * max(depth[1], depth[14])


def test_tones_stand_out_of_their_octaves_and_noise_does_not():
    chord = sum(tone(hz, 5, 0.1) for hz in (110, 290, 620, 1250, 2500, 5000, 7000))
    assert np.nanmin(signals(chord + noise(5, 1e-3))["spectral_contrast"]) > np.nanmax(
        signals(noise(5))["spectral_contrast"]
    )
