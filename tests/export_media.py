"""Tiny clips in which a white flash and a tone begin at one instant, and what a player sees and hears of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import numpy as np

from kick_clip_generator.media.ffmpeg import ffmpeg_path

FLASH_S = 0.2


def make_clip(
    path: Path,
    *,
    at_s: float = 0.5,
    length_s: float = 1.5,
    size: str = "160x96",
    fps: str = "30",
    rate_hz: int = 48_000,
    options: tuple[str, ...] = (),
) -> Path:
    """A gray picture that flashes white, and a tone, from `at_s` on."""
    when = f"between(t,{at_s},{at_s + FLASH_S})"
    flash = f"drawbox=x=0:y=0:w=iw:h=ih:color=white:t=fill:enable='{when}'"
    picture = ["-f", "lavfi", "-i", f"color=c=gray:s={size}:r={fps}:d={length_s},{flash}"]
    tone = ["-f", "lavfi", "-i", f"aevalsrc='if({when},0.8*sin(2*PI*1000*t),0)':s={rate_hz}:d={length_s}"]
    codecs = ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac"]
    args = [*picture, *tone, *codecs, "-movflags", "+faststart", *options, str(path)]
    subprocess.run([ffmpeg_path(), "-v", "error", "-y", *args], check=True, stdin=subprocess.DEVNULL)
    return path


def remuxed(path: Path, target: Path, *options: str) -> Path:
    """The same packets, some left out."""
    args = ["-i", str(path), "-c", "copy", "-movflags", "+faststart", *options, str(target)]
    subprocess.run([ffmpeg_path(), "-v", "error", "-y", *args], check=True, stdin=subprocess.DEVNULL)
    return target


def pictures(path: Path) -> list[tuple[float, np.ndarray]]:
    """Time and luma of every picture."""
    with av.open(str(path)) as container:
        return [(float(frame.time), frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


def flashes(path: Path) -> list[float]:
    """When the middle of the picture turns white."""
    seen = [
        (time_s, luma[luma.shape[0] // 2, luma.shape[1] // 2 - 4 : luma.shape[1] // 2 + 4].mean())
        for time_s, luma in pictures(path)
    ]
    white = [(time_s, level > 200) for time_s, level in seen]
    return [now[0] for before, now in zip([(0.0, False), *white], white, strict=False) if now[1] and not before[1]]


def tones(path: Path) -> list[float]:
    """When sound sets in after a tenth of a second of silence."""
    with av.open(str(path)) as container:
        rate_hz = container.streams.audio[0].sample_rate
        blocks = [(float(frame.time), frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    # By their own times: a gap would be heard as one.
    sound = np.zeros(round((blocks[-1][0] + 1) * rate_hz))
    for begin_s, samples in blocks:
        first = round(begin_s * rate_hz)
        sound[first : first + len(samples)] = samples
    loud = np.flatnonzero(np.abs(sound) > 0.3)
    return [float(loud[i] / rate_hz) for i in range(len(loud)) if i == 0 or loud[i] - loud[i - 1] > rate_hz / 10]


def chapters(path: Path) -> list[tuple[float, float, str]]:
    """Begin, end and title of each chapter."""
    with av.open(str(path)) as container:
        return [
            (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"].get("title", ""))
            for c in container.chapters()
        ]
