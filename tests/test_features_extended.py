"""Extended signals of the sound: what is there, what is missing and why."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.features import extended_audio, voice_activity
from kick_clip_generator.features.extended import ExtendedExtractor
from kick_clip_generator.features.extended_audio import ExtendedAudio, tracked_pitch
from kick_clip_generator.features.registry import EXTENDED_AUDIO_NAMES, EXTENDED_NAMES
from tests.test_features_voice import RESONANCES_HZ, voice

TICKS = 40

needs_network = pytest.mark.skipif(
    voice_activity._network() is None, reason="faster-whisper, which carries the network, is not installed"
)
needs_pyworld = pytest.mark.skipif(importlib.util.find_spec("pyworld") is None, reason="pyworld is not installed")


@pytest.fixture(scope="module")
def pcm() -> np.ndarray:
    """A vowel that glides, with pauses, over a little noise."""
    time_s = np.arange(TICKS * 8000) / 16000
    sound = voice(140 + 20 * np.sin(time_s), TICKS / 2, level=0.3) * (time_s % 4 < 3)
    return np.round((sound + 1e-3 * np.random.default_rng(0).standard_normal(len(sound))) * 32767).astype(np.int16)


def column(rows: np.ndarray, name: str) -> np.ndarray:
    return rows[:, EXTENDED_AUDIO_NAMES.index(name)]


def test_formants_of_a_vowel_are_its_resonances_where_there_is_voice(pcm):
    rows = ExtendedAudio().rows(pcm, TICKS)
    voiced, silent = np.arange(TICKS) % 8 == 3, np.arange(TICKS) % 8 == 7
    for n, resonance_hz in enumerate(RESONANCES_HZ):
        formant = column(rows, f"formant_{n + 1}")
        assert np.median(formant[voiced]) == pytest.approx(resonance_hz, rel=0.08)
        assert np.isnan(formant[silent]).all()


@pytest.mark.parametrize(("start", "stop"), [(1, 40), (5, 33), (12, 29)])
def test_a_stretch_that_starts_later_gives_the_same_bits_after_its_context(pcm, start, stop):
    whole = ExtendedAudio().rows(pcm, TICKS)
    sound = pcm[start * 8000 : stop * 8000]
    later = ExtendedAudio().rows(sound, stop - start, first_tick=start, skip=10)
    for name in EXTENDED_AUDIO_NAMES:
        assert np.isnan(column(later, name)[:10]).all()
        np.testing.assert_array_equal(column(later, name)[10:], column(whole, name)[start + 10 : stop], err_msg=name)


@needs_pyworld
def test_the_tracked_pitch_is_that_of_the_voice_wherever_the_stretch_starts(pcm):
    whole = column(ExtendedAudio().rows(pcm, TICKS), "tracked_pitch")
    ticks = np.arange(TICKS)
    voiced = (ticks % 8 >= 1) & (ticks % 8 <= 4)
    assert whole[voiced] == pytest.approx(140 + 20 * np.sin(ticks[voiced] / 2 + 0.25), rel=0.05)
    later = column(ExtendedAudio().rows(pcm[10 * 8000 :], TICKS - 10), "tracked_pitch")
    assert later[1:] == pytest.approx(whole[11:], rel=0.01, nan_ok=True)


@needs_network
def test_noise_is_no_speech_and_the_first_seconds_of_a_stretch_are_unknown():
    noise = np.random.default_rng(0).integers(-2000, 2000, TICKS * 8000).astype(np.int16)
    activity = column(ExtendedAudio().rows(noise, TICKS, first_tick=8), "voice_activity")
    assert np.isnan(activity).tolist() == [True] * 6 + [False] * (TICKS - 6)
    assert activity[6:].max() < 0.3


def test_without_the_libraries_there_is_nan_and_a_sentence(pcm, monkeypatch):
    found = importlib.util.find_spec
    hidden = ("faster_whisper", "pyworld")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in hidden else found(name, *rest))
    extractor = ExtendedExtractor()
    assert {"voice_activity", "tracked_pitch"} <= set(extractor.unavailable())
    for sentence in extractor.unavailable().values():
        assert "install" in sentence
    rows, _ = extractor.rows(pcm, TICKS)
    assert np.isnan(rows[:, EXTENDED_NAMES.index("voice_activity")]).all()
    assert np.isnan(rows[:, EXTENDED_NAMES.index("tracked_pitch")]).all()
    assert np.isfinite(rows[3, EXTENDED_NAMES.index("formant_1")])


@needs_network
def test_the_network_is_found_without_loading_faster_whisper():
    before = "faster_whisper" in sys.modules
    assert isinstance(voice_activity._network(), Path)
    assert ("faster_whisper" in sys.modules) == before


def test_short_and_missing_sound_is_nan(pcm):
    rows, known = ExtendedExtractor().rows(pcm[: 20 * 8000], TICKS)
    assert known[:, 0].tolist() == [True] * 20 + [False] * 20 and not known[:, 1].any()
    assert rows.shape == (TICKS, len(EXTENDED_NAMES)) and rows.dtype == np.float32
    audio = [EXTENDED_NAMES.index(name) for name in EXTENDED_AUDIO_NAMES]
    assert np.isnan(rows[20:, audio]).all()
    assert np.isnan(ExtendedExtractor().rows(pcm[:0], TICKS)[0][:, audio]).all()
    assert np.isnan(ExtendedAudio().rows(np.zeros(TICKS * 8000, np.int16), TICKS)[:, 1:]).all()
    assert np.isnan(tracked_pitch(np.zeros(8000, np.float32))["tracked_pitch"]).all()


@pytest.mark.parametrize("samples", [8001, 16000])
def test_only_whole_ticks_that_fit_are_taken(samples):
    with pytest.raises(ValueError, match="at most 1 ticks"):
        extended_audio.ExtendedAudio().rows(np.zeros(samples, np.int16), 1)
