"""Joined picture and sound keep their distance to the millisecond, whatever their codecs and containers."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.join import join
from kick_clip_generator.media.probe import probe

FLASH = "color=black:s=64x64:r=50:d=5,drawbox=color=white:t=fill:enable='between(t,2.99,3.05)'"
BEEP = "aevalsrc='if(between(t,3,3.06),sin(6283*t),0)':s=48000:d=5"


def made(target: Path, source: str, *options: str) -> Path:
    command = [ffmpeg_path(None), "-v", "error", "-nostdin", "-f", "lavfi", "-i", source, *options, str(target)]
    subprocess.run(command, check=True)
    return target


def flash_s(path: Path) -> float:
    """When the first bright picture shows, on the clock of the container."""
    with av.open(str(path)) as container:
        frames = container.decode(container.streams.video[0])
        return next(frame.time for frame in frames if frame.to_ndarray(format="gray").mean() > 128)


def beep_s(path: Path) -> float:
    """When the first loud sample sounds, likewise."""
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.audio[0]):
            loud = np.flatnonzero(np.abs(frame.to_ndarray().astype(float)).max(axis=0) > 0.2)
            if len(loud):
                return frame.time + float(loud[0]) / frame.sample_rate
    raise AssertionError("no beep")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    x264 = ["-c:v", "libx264", "-bf", "2", "-preset", "ultrafast", "-g", "50"]
    return [
        made(folder / "h264.mp4", FLASH, *x264),
        made(folder / "h264.ts", FLASH, *x264),
        made(folder / "vp9.webm", FLASH, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
        made(folder / "av1.mp4", FLASH, "-c:v", "libsvtav1", "-preset", "13"),
    ]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sounds")
    return [
        made(folder / "aac.m4a", BEEP, "-c:a", "aac"),
        made(folder / "aac.ts", BEEP, "-c:a", "aac"),
        made(folder / "opus.webm", BEEP, "-c:a", "libopus"),
    ]


@pytest.mark.parametrize(
    "later_s", [0.7, pytest.param(0.0, marks=pytest.mark.slow), pytest.param(-0.7, marks=pytest.mark.slow)]
)
def test_flash_and_beep_keep_their_distance(
    pictures: list[Path], sounds: list[Path], tmp_path: Path, later_s: float
) -> None:
    for picture, sound in itertools.product(pictures, sounds):
        before_s = (beep_s(sound) - probe(sound).start_s) - (flash_s(picture) - probe(picture).start_s)
        target = tmp_path / "joined"
        join(picture, sound, target, sound_later_s=later_s)
        after_s = beep_s(target) - flash_s(target)
        assert after_s - before_s == pytest.approx(later_s, abs=0.005), (picture.name, sound.name)
