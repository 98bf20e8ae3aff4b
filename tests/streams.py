"""Streams made for the tests of the whole line: calm, with events at known times."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np

WIDTH_PX, HEIGHT_PX, FPS = 160, 90, 20
SAMPLE_RATE_HZ = 48_000

Event = tuple[float, float]


def make_stream(
    target: Path,
    *,
    duration_s: float,
    events: Sequence[Event] = (),
    audio: bool = True,
    video: bool = True,
    seed: int = 0,
) -> Path:
    """A slowly drifting picture with quiet noise; in each event a crowd roars and the picture is full of motion.

    H.264 with a keyframe every second and AAC at 48 kHz; the container follows from the suffix.
    """
    rng = np.random.default_rng(seed)
    sound = target.with_suffix(".wav")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
    if video:
        command += [
            "-f",
            "rawvideo",
            "-pix_fmt",
            "gray",
            "-s",
            f"{WIDTH_PX}x{HEIGHT_PX}",
            "-r",
            str(FPS),
            "-i",
            "pipe:0",
        ]
    if audio:
        _write_sound(sound, duration_s, events, rng)
        command += ["-i", str(sound)]
    if video:
        command += ["-c:v", "libx264", "-preset", "ultrafast", "-g", str(FPS), "-pix_fmt", "yuv420p"]
    if audio:
        # Perceptual noise substitution makes decoders put random noise where noise was: no two runs would agree.
        command += ["-c:a", "aac", "-aac_pns", "0", "-b:a", "96k"]
    pictures = _pictures(duration_s, events, rng) if video else b""
    subprocess.run([*command.copy(), str(target)], input=pictures, check=True)
    sound.unlink(missing_ok=True)
    return target


def _inside(times_s: np.ndarray, events: Sequence[Event]) -> np.ndarray:
    return np.any(
        [(times_s >= start) & (times_s < end) for start, end in events] or [np.zeros_like(times_s, bool)], axis=0
    )


def _write_sound(path: Path, duration_s: float, events: Sequence[Event], rng: np.random.Generator) -> None:
    samples = round(duration_s * SAMPLE_RATE_HZ)
    times_s = np.arange(samples) / SAMPLE_RATE_HZ
    noise = rng.standard_normal(samples)
    swell = 1 + 0.5 * np.sin(2 * np.pi * 3 * times_s)
    level = np.where(_inside(times_s, events), 0.2 * swell, 0.01)
    pcm = np.clip(noise * level * 32767, -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(pcm.tobytes())


def _pictures(duration_s: float, events: Sequence[Event], rng: np.random.Generator) -> bytes:
    frames = round(duration_s * FPS)
    rows, columns = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    busy = _inside(np.arange(frames) / FPS, events)
    made = np.empty((frames, HEIGHT_PX, WIDTH_PX), np.uint8)
    for i in range(frames):
        made[i] = 100 + 40 * np.sin((columns + i / FPS) / 20) + rows / 4
        if busy[i]:
            blocks = rng.integers(0, 255, (HEIGHT_PX // 10, WIDTH_PX // 10), np.uint8)
            made[i] = made[i] // 2 + blocks.repeat(10, 0).repeat(10, 1) // 2
    return made.tobytes()
