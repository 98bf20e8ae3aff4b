"""Laws of the audio signals on made sounds, and agreement with librosa where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from kick_clip_generator.features import rhythm
from kick_clip_generator.features.audio import (
    HOP,
    N_FFT,
    N_MELS,
    SAMPLE_RATE_HZ,
    SAMPLES_PER_TICK,
    AudioFeatures,
    mel_filters,
)
from kick_clip_generator.features.registry import AUDIO_NAMES, FEATURES

# In the first tick of a run the frames that lie inside it count, so a context of one frame leaves nothing unknown.
CONTEXT_TICKS = {feature.name: int(np.ceil((feature.context_s - 0.08) * 2)) for feature in FEATURES}
VOICE = {"pitch", "voiced_db", "pitch_std", "pitch_jitter"}


def features(samples: np.ndarray) -> dict[str, np.ndarray]:
    """Signals of sound in -1..1, cut to whole ticks."""
    whole = len(samples) // SAMPLES_PER_TICK * SAMPLES_PER_TICK
    pcm = np.clip(np.round(samples[:whole] * 32767), -32768, 32767).astype(np.int16)
    return dict(zip(AUDIO_NAMES, AudioFeatures().push(pcm).T, strict=True))


def tone(frequency_hz: float, duration_s: float, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * frequency_hz * np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)


def noise(duration_s: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(int(duration_s * SAMPLE_RATE_HZ))


def clicks(bpm: float, duration_s: float) -> np.ndarray:
    sound = np.zeros(int(duration_s * SAMPLE_RATE_HZ))
    click = tone(1000, 0.025) * np.exp(-np.arange(400) / 80)
    for time_s in np.arange(0.13, duration_s - 0.03, 60 / bpm):
        start = int(time_s * SAMPLE_RATE_HZ)
        sound[start : start + len(click)] += click
    return sound


def test_a_tone_is_where_it_is():
    values = features(tone(1000, 5))
    assert values["rms"][1:] == pytest.approx(0.5 / np.sqrt(2), rel=1e-2)
    assert values["rms_db"][1:] == pytest.approx(-9.03, abs=0.05)
    assert values["spectral_centroid"][1:] == pytest.approx(1000, abs=10)
    assert values["zcr"][1:] == pytest.approx(2 * 1000 / SAMPLE_RATE_HZ, rel=1e-3)
    assert values["spectral_flatness"][1:].max() < 1e-3
    assert values["voice_band_ratio"][1:].min() > 0.999
    assert values["high_freq_ratio"][1:].max() < 1e-3
    assert features(tone(5000, 5))["high_freq_ratio"].min() > 0.999


def test_white_noise_is_flat_and_spread_over_the_band():
    values = features(noise(10))
    # The mean of the log of exponentially distributed power is e^-0.577 below the log of its mean.
    assert np.mean(values["spectral_flatness"]) == pytest.approx(np.exp(-0.5772), abs=0.02)
    assert np.mean(values["spectral_centroid"]) == pytest.approx(4000, rel=0.02)
    assert np.mean(values["spectral_rolloff"]) == pytest.approx(0.85 * 8000, rel=0.02)
    assert np.mean(values["high_freq_ratio"]) == pytest.approx(6 / 8, abs=0.01)
    assert np.mean(values["voice_band_ratio"]) == pytest.approx(3.1 / 8, abs=0.01)
    assert np.mean(values["presence_db"]) == pytest.approx(-20 + 10 * np.log10(3 / 8), abs=0.1)
    assert np.mean(values["zcr"]) == pytest.approx(0.5, abs=0.01)


def test_louder_raises_the_levels_and_nothing_that_describes_the_shape():
    quiet, loud = features(noise(10, 0.01)), features(noise(10, 0.1))
    for name in ("rms_db", "presence_db", "level_db", "lufs_momentary", "lufs_short"):
        known = slice(CONTEXT_TICKS[name], None)
        assert loud[name][known] - quiet[name][known] == pytest.approx(20, abs=0.1), name
    assert np.all(loud["rms"] > quiet["rms"])
    for name in ("spectral_centroid", "spectral_bandwidth", "high_freq_ratio", "voice_band_ratio", "zcr"):
        assert loud[name] == pytest.approx(quiet[name], rel=5e-3)
    known = slice(8, None)
    for name in ("modulation_4hz", "burst_rate", "surge_db", "spectral_contrast"):
        assert loud[name][known] == pytest.approx(quiet[name][known], rel=0.02, abs=0.1), name
    for name in ("onset_strength", *(f"mfcc_{n}" for n in range(2, 14))):
        assert loud[name] == pytest.approx(quiet[name], abs=0.05)


def test_digital_silence_has_no_spectrum_and_no_tempo():
    values = features(np.zeros(10 * SAMPLE_RATE_HZ))
    unknown = {
        "spectral_centroid",
        "spectral_bandwidth",
        "spectral_rolloff",
        "spectral_flatness",
        "high_freq_ratio",
        "voice_band_ratio",
        "spectral_contrast",
        "modulation_4hz",
        "tempo",
        *VOICE,
    }
    assert {name for name, column in values.items() if np.isnan(column[-1])} == unknown
    for name in ("rms", "zcr", "onset_strength", "voiced_ratio"):
        assert np.all(values[name] == 0), name
    for name in ("rms_db", "presence_db", "level_db"):
        assert np.all(values[name] == -100), name
    for name in ("lufs_momentary", "lufs_short"):
        assert values[name][-1] == -100, name
    for name in ("beat_strength", "burst_rate", "surge_db"):
        assert values[name][-1] == 0, name


def test_the_faintest_hiss_after_silence_is_no_onset():
    dither = np.random.default_rng(0).integers(-1, 2, 5 * SAMPLE_RATE_HZ) / 32767
    from_silence = features(np.concatenate([np.zeros(5 * SAMPLE_RATE_HZ), dither]))["onset_strength"]
    attack = features(np.concatenate([noise(5, 0.01), noise(5, 0.1)]))["onset_strength"]
    assert from_silence.max() < 0.1
    assert attack[10] > attack[2:9].max() + 0.1


def test_everything_is_finite_where_there_is_sound_and_history():
    for sound in (noise(8), noise(8, 1.0), tone(100, 8), noise(8, 1e-4), clicks(120, 8) + noise(8, 1e-3)):
        values = features(sound)
        for name, column in values.items():
            known = column[CONTEXT_TICKS[name] :]
            if name not in VOICE and not (name == "tempo" and values["beat_strength"][-1] == 0):
                assert np.isfinite(known).all(), name


@pytest.mark.parametrize("bpm", [62, 84, 97, 113, 120, 126, 145, 157])
def test_a_click_track_has_its_tempo(bpm):
    values = features(clicks(bpm, 9))
    assert np.isnan(values["tempo"][:10]).all()
    assert values["tempo"][10:] == pytest.approx(bpm, abs=1)
    assert values["beat_strength"][10:].min() > 0.9


def test_noise_has_no_beat():
    values = features(noise(30))
    assert np.nanmax(values["beat_strength"]) < 0.4
    assert np.nanmin(values["beat_strength"]) >= 0


def test_an_unknown_onset_makes_the_rhythm_unknown():
    envelopes = np.random.default_rng(0).random((3, 320)).astype(np.float32)
    envelopes[1, 7] = np.nan
    envelopes[2] = 0.5
    tempo, strength = rhythm.tempo_and_beat(envelopes, frame_rate_hz=64)
    assert np.isnan(tempo).tolist() == [False, True, True]
    assert np.isnan(strength).tolist() == [False, True, False]


def test_nothing_looks_ahead():
    before = noise(6)
    one = features(np.concatenate([before, noise(2, 0.9, seed=1)]))
    other = features(np.concatenate([before, np.zeros(2 * SAMPLE_RATE_HZ)]))
    for name in AUDIO_NAMES:
        np.testing.assert_array_equal(one[name][:12], other[name][:12], name)


@pytest.mark.parametrize("shape", [(SAMPLES_PER_TICK - 1,), (2, SAMPLES_PER_TICK)])
def test_only_whole_ticks_are_taken(shape):
    with pytest.raises(ValueError, match="whole ticks"):
        AudioFeatures().push(np.zeros(shape, np.int16))


@pytest.mark.slow  # librosa's import and compilation take most of it
def test_librosa_agrees_at_equal_parameters():
    librosa = pytest.importorskip("librosa", reason="librosa, the reference, comes with the bench extra")
    sound = np.concatenate([noise(3), tone(440, 3) + noise(3, 0.01), clicks(120, 3) + noise(3, 0.001)])
    pcm = np.round(np.clip(sound, -1, 1) * 32767) / 32768
    # As many zeros before as make frame j end at (j + 1) * HOP.
    padded = np.concatenate([np.zeros(N_FFT - HOP), pcm]).astype(np.float32)
    framing = {"hop_length": HOP, "center": False}
    magnitude = np.abs(librosa.stft(padded, n_fft=N_FFT, **framing))
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=SAMPLE_RATE_HZ, n_mels=N_MELS)
    mel_db = librosa.power_to_db(mel, amin=1e-6, top_db=None)
    feature = librosa.feature
    reference = {
        "rms": feature.rms(y=padded, frame_length=N_FFT, **framing)[0],
        "spectral_centroid": feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE_HZ)[0],
        "spectral_bandwidth": feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE_HZ)[0],
        "spectral_rolloff": feature.spectral_rolloff(S=magnitude, sr=SAMPLE_RATE_HZ)[0],
        "spectral_flatness": feature.spectral_flatness(S=magnitude)[0],
        "onset_strength": librosa.onset.onset_strength(S=mel_db, sr=SAMPLE_RATE_HZ, center=False),
    } | {f"mfcc_{n + 1}": row for n, row in enumerate(feature.mfcc(S=mel_db, n_mfcc=13))}
    ours = features(sound)
    for name, frames in reference.items():
        expected = frames.reshape(len(ours[name]), -1).mean(axis=1)
        np.testing.assert_allclose(ours[name][1:], expected[1:], rtol=1e-3, atol=1e-3, err_msg=name)
    crossings = feature.zero_crossing_rate(
        pcm, frame_length=SAMPLES_PER_TICK, hop_length=SAMPLES_PER_TICK, center=False
    )
    np.testing.assert_allclose(ours["zcr"], crossings[0], atol=2 / SAMPLES_PER_TICK)
    theirs = librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=N_FFT, n_mels=N_MELS)
    np.testing.assert_allclose(mel_filters(SAMPLE_RATE_HZ, N_FFT, N_MELS), theirs, atol=1e-7)
