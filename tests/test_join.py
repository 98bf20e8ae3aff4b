"""Picture and sound of two files in one: in step, whatever the containers."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.join import join
from kick_clip_generator.media.probe import probe
from tests.origin.media import ffmpeg

# A white frame and a beep at 2 s and at 4 s.
FLASH = (
    "color=black:size=64x64:rate=50:duration=6,"
    "drawbox=color=white:t=fill:enable='between(t,1.99,2.05)+between(t,3.99,4.05)'"
)
BEEP = "aevalsrc='if(between(t,2,2.06)+between(t,4,4.06),sin(6283*t),0)':s=48000:d=6"


def made(folder: Path, picture: str, sound: str) -> tuple[Path, Path]:
    pictures, sounds = folder / f"picture{picture}", folder / f"sound{sound}"
    video = (
        ["libvpx", "-deadline", "realtime"] if picture == ".webm" else ["libx264", "-bf", "2", "-preset", "ultrafast"]
    )
    ffmpeg("-f", "lavfi", "-i", FLASH, "-c:v", *video, "-g", "50", pictures)
    ffmpeg("-f", "lavfi", "-i", BEEP, "-c:a", "libopus" if sound == ".webm" else "aac", "-b:a", "96k", sounds)
    return pictures, sounds


def flashes_and_beeps(path: Path) -> tuple[list[float], list[float]]:
    flashes: list[float] = []
    beeps: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0], container.streams.audio[0]):
            assert frame.time is not None
            if isinstance(frame, av.VideoFrame):
                if frame.to_ndarray(format="gray").mean() > 128:
                    flashes.append(frame.time)
            else:
                loud = np.flatnonzero(np.abs(frame.to_ndarray().astype(float)).mean(axis=0) > 0.2)
                if len(loud):
                    beeps.append(frame.time + float(loud[0]) / frame.sample_rate)
    return firsts(flashes), firsts(beeps)


def firsts(times: list[float]) -> list[float]:
    return [time for place, time in enumerate(times) if not place or time - times[place - 1] > 1]


@pytest.mark.parametrize("later_s", [0.0, 0.3, -0.3])
@pytest.mark.parametrize(
    ("picture", "sound"), [(".mp4", ".m4a"), (".ts", ".ts"), (".webm", ".webm"), (".mp4", ".webm")]
)
def test_picture_and_sound_stay_in_step(tmp_path: Path, picture: str, sound: str, later_s: float) -> None:
    pictures, sounds = made(tmp_path, picture, sound)
    join(pictures, sounds, tmp_path / "joined.media", sound_later_s=later_s)
    flashes, beeps = flashes_and_beeps(tmp_path / "joined.media")
    assert len(flashes) == len(beeps) == 2
    # A beep begins 10 ms after its flash's frame; 21 ms of AAC frame are not resolved.
    for flash, beep in zip(flashes, beeps, strict=True):
        assert beep - flash == pytest.approx(later_s, abs=0.025)
    info = probe(tmp_path / "joined.media")
    assert info.has_audio and info.has_video
    assert flashes[0] - info.start_s == pytest.approx(2 + max(0.0, -later_s), abs=0.03)


def test_what_does_not_hold_it_is_refused(tmp_path: Path) -> None:
    pictures, sounds = made(tmp_path, ".mp4", ".m4a")
    with pytest.raises(MediaError, match=r"sound\.m4a does not hold"):
        join(sounds, pictures, tmp_path / "x", sound_later_s=0.0)
    with pytest.raises(MediaError, match=r"picture\.mp4 does not hold"):
        join(pictures, pictures, tmp_path / "x", sound_later_s=0.0)
