"""The fast signals of the sound against librosa, ffmpeg and pyworld on real recordings."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from bench.audio_references import correlation, ffmpeg_signals, librosa_pitch, librosa_signals
from kick_clip_generator.features.audio import SAMPLES_PER_TICK, AudioFeatures
from kick_clip_generator.features.extended_audio import ExtendedAudio
from kick_clip_generator.features.registry import AUDIO_NAMES, EXTENDED_AUDIO_NAMES
from kick_clip_generator.media.ffmpeg import ffmpeg_path

pytestmark = pytest.mark.slow

SHARED = Path(__file__).parents[2] / "shared"
SPEECH = SHARED / "fixtures" / "speech"
SPEAKING = ("ami_sample.wav", "ami_tst01.wav", "jfk.flac")
MIXED = (SHARED / "bench" / "dev" / "dev_01_mixed.mp4", SHARED / "fixtures" / "video" / "talk_720p30.mp4")


def decoded(path: Path, duration_s: float = 90) -> np.ndarray:
    if not path.is_file():
        pytest.skip(f"the recordings to compare on ({path.name}) are not here")
    command = [ffmpeg_path(None), "-v", "error", "-nostdin", "-t", str(duration_s), "-i", str(path), "-vn"]
    command += ["-ac", "1", "-ar", "16000", "-f", "s16le", "-"]
    pcm = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.int16)
    return pcm[: len(pcm) // SAMPLES_PER_TICK * SAMPLES_PER_TICK]


def ours(pcm: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(AUDIO_NAMES, AudioFeatures().push(pcm).T, strict=True))


def test_levels_are_those_of_ffmpeg():
    for path in MIXED:
        pcm = decoded(path)
        values = ours(pcm)
        for name, theirs in ffmpeg_signals(ffmpeg_path(None), pcm).items():
            known = np.isfinite(theirs) & np.isfinite(values[name])
            apart = np.abs(values[name] - theirs)[known]
            assert correlation(values[name], theirs) > 0.999, name
            # What is further off follows a loud sound (a filter rings on) or is the loudest 0.4 s of a tick by a hair.
            assert np.mean(apart < (0.1 if name == "level_db" else 0.3)) > 0.9, name


def test_every_spectral_signal_correlates_with_librosa():
    pytest.importorskip("librosa", reason="librosa, the reference, comes with the bench extra")
    for path in MIXED:
        pcm = decoded(path, 40)
        values = ours(pcm)
        for name, theirs in librosa_signals(pcm).items():
            assert correlation(values[name][1:], theirs[1:]) > 0.95, name


def test_the_pitch_of_speech_correlates_with_pyin():
    pytest.importorskip("librosa", reason="librosa, the reference, comes with the bench extra")
    fast, reference = [], []
    for name in SPEAKING:
        pcm = decoded(SPEECH / name, 15)
        values = ours(pcm)
        theirs = librosa_pitch(pcm)
        fast.append(np.where(values["voiced_ratio"] >= 0.4, values["pitch"], np.nan))
        reference.append(theirs)
    assert correlation(np.log(np.concatenate(fast)), np.log(np.concatenate(reference))) > 0.95


def test_voice_activity_and_voiced_share_tell_who_speaks_when():
    path = SPEECH / "ami_sample.wav"
    pcm = decoded(path, 30)
    ticks = len(pcm) // SAMPLES_PER_TICK
    spoken = np.zeros(ticks)
    for line in (SPEECH / "ami_sample.rttm").read_text().splitlines():
        start_s, duration_s = (float(field) for field in line.split()[3:5])
        edges = np.arange(ticks) / 2
        spoken = np.maximum(
            spoken, np.clip((np.minimum(edges + 0.5, start_s + duration_s) - np.maximum(edges, start_s)) * 2, 0, 1)
        )
    assert correlation(ours(pcm)["voiced_ratio"], spoken) > 0.3
    extended = ExtendedAudio()
    if "voice_activity" in extended.unavailable():
        pytest.skip(extended.unavailable()["voice_activity"])
    rows = extended.rows(pcm, np.zeros((0, 135, 160), np.uint8), ticks)
    assert correlation(rows[:, EXTENDED_AUDIO_NAMES.index("voice_activity")], spoken) > 0.5
