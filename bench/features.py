"""CPU seconds per hour of stream of each family of features, without fetching and decoding."""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from bench.machine import cpu_s, describe, resident_mib, write_json
from bench.streams import made_minute
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.features import rhythm
from kick_clip_generator.features.audio import HOP, SAMPLE_RATE_HZ, SAMPLES_PER_TICK, AudioFeatures
from kick_clip_generator.features.extract import FeatureExtractor
from kick_clip_generator.features.video import CANNY_HIGH, CANNY_LOW, FRAME_ROWS, HEIGHT_PX, WIDTH_PX, VideoFeatures
from kick_clip_generator.media.ffmpeg import ffmpeg_path

BLOCK_TICKS = 60


def main(argv: list[str]) -> int:
    """Measure on a made minute, or on the first ten of `--media FILE`."""
    parser = argparse.ArgumentParser(prog="python -m bench features", description=__doc__)
    parser.add_argument("--media", type=Path, help="measure on this recording instead of a made one")
    parser.add_argument("--minutes", type=float, default=10, help="how much of it (default 10)")
    parser.add_argument("--frame-rate", type=float, default=4, help="frames per second of stream (default 4)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(argv)
    ffmpeg = str(ffmpeg_path(None))
    with tempfile.TemporaryDirectory() as folder:
        media = options.media or made_minute(ffmpeg, Path(folder))
        pcm, frames = _decoded(ffmpeg, media, options.minutes, options.frame_rate)

    frames_per_tick = int(options.frame_rate * TICK_S)
    ticks = min(len(pcm) // SAMPLES_PER_TICK, len(frames) // frames_per_tick)
    blocks = [
        (
            pcm[k * SAMPLES_PER_TICK :][: BLOCK_TICKS * SAMPLES_PER_TICK],
            frames[k * frames_per_tick :][: BLOCK_TICKS * frames_per_tick],
        )
        for k in range(0, ticks - ticks % BLOCK_TICKS, BLOCK_TICKS)
    ]
    sound, picture = AudioFeatures(), VideoFeatures(options.frame_rate)
    envelopes = np.random.default_rng(0).random(
        (BLOCK_TICKS, int(rhythm.ENVELOPE_S * SAMPLE_RATE_HZ / HOP)), np.float32
    )
    families: dict[str, Callable[[np.ndarray, np.ndarray], object]] = {
        "sound": lambda pcm, frames: sound.push(pcm),
        "  of which tempo and beat": lambda pcm, frames: [
            rhythm.tempo_and_beat(envelopes[k : k + 4], frame_rate_hz=SAMPLE_RATE_HZ / HOP)
            for k in range(0, BLOCK_TICKS, 4)
        ],
        "picture": lambda pcm, frames: picture.push(frames),
        "  of which edges": lambda pcm, frames: [
            cv2.Canny(frame[:HEIGHT_PX], CANNY_LOW, CANNY_HIGH) for frame in frames
        ],
    }
    hours = len(blocks) * BLOCK_TICKS * TICK_S / 3600
    figures = {name: _cost(family, blocks) / hours for name, family in families.items()}
    figures["all"] = figures["sound"] + figures["picture"]

    extractor = FeatureExtractor(options.frame_rate)
    before = resident_mib()
    for block in blocks * 3:
        extractor.push(*block, ticks=BLOCK_TICKS)
    grown = resident_mib() - before
    out = sys.stdout
    out.write(f"{describe(ffmpeg)}\n{hours * 60:.1f} minutes, {options.frame_rate:g} frames a second\n\n")
    out.write(f"{'family':28} CPU-s per stream hour\n")
    for name, cost in figures.items():
        out.write(f"{name:28} {cost:8.2f}\n")
    out.write(f"\nresident memory grown over {3 * hours * 60:.0f} minutes: {grown:.1f} MiB\n")
    write_json(options.json, {"cpu_s_per_hour": figures, "grown_mib": None if math.isnan(grown) else grown})
    return 0


def _decoded(ffmpeg: str, media: Path, minutes: float, frame_rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    base = [
        ffmpeg,
        "-v",
        "error",
        "-nostdin",
        "-threads",
        "1",
        "-stream_loop",
        "-1",
        "-i",
        str(media),
        "-t",
        str(minutes * 60),
    ]
    sound = subprocess.run(
        [*base, "-vn", "-ac", "1", "-ar", str(SAMPLE_RATE_HZ), "-f", "s16le", "-"], check=True, capture_output=True
    )
    scaled = f"fps={frame_rate_hz:g},scale={WIDTH_PX}:{HEIGHT_PX}:flags=area,format=yuv420p"
    picture = subprocess.run([*base, "-an", "-vf", scaled, "-f", "rawvideo", "-"], check=True, capture_output=True)
    pcm = np.frombuffer(sound.stdout, np.int16, len(sound.stdout) // 2)
    return pcm, np.frombuffer(picture.stdout, np.uint8).reshape(-1, FRAME_ROWS, WIDTH_PX)


def _cost(family: Callable[[np.ndarray, np.ndarray], object], blocks: list[tuple[np.ndarray, np.ndarray]]) -> float:
    family(*blocks[0])
    before = cpu_s()
    for block in blocks:
        family(*block)
    return cpu_s() - before
