"""CPU seconds per hour of stream of each family of features, without fetching and decoding."""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from bench.audio_references import correlation, ffmpeg_signals, librosa_pitch, librosa_signals
from bench.machine import cpu_s, describe, resident_mib, write_json
from bench.streams import made_minute
from bench.video_references import ffmpeg_signals as ffmpeg_picture_signals
from bench.video_references import opencv_signals, small_frames
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.features import rhythm
from kick_clip_generator.features.audio import (
    FRAME_RATE_HZ,
    FRAMES_PER_TICK,
    HOP,
    N_FFT,
    PASS_TICKS,
    SAMPLE_RATE_HZ,
    SAMPLES_PER_TICK,
    SPARSE,
    AudioFeatures,
    hann,
)
from kick_clip_generator.features.bursts import Bursts
from kick_clip_generator.features.extended_audio import ExtendedAudio
from kick_clip_generator.features.extract import FeatureExtractor
from kick_clip_generator.features.loudness import Loudness
from kick_clip_generator.features.overlay import OverlayChange
from kick_clip_generator.features.pitch import PitchFinder
from kick_clip_generator.features.registry import AUDIO_NAMES, VIDEO_NAMES
from kick_clip_generator.features.video import (
    CANNY_HIGH,
    CANNY_LOW,
    FRAME_ROWS,
    HEIGHT_PX,
    SCENE_CUT,
    WIDTH_PX,
    VideoFeatures,
)
from kick_clip_generator.features.voice import Voice
from kick_clip_generator.media import look as looking
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.probe import probe

BLOCK_TICKS = 60
# Machines are noisy: families take turns, and the median of the rounds counts.
ROUNDS = 3
EXTENDED_MINUTES = 2.0
# pyin takes minutes for a minute.
REFERENCE_S = 120.0
PITCH_REFERENCE_S = 30.0

Family = Callable[[np.ndarray, np.ndarray], object]


def main(argv: list[str]) -> int:
    """Measure on a made minute, or on the first ten of `--media FILE`."""
    parser = argparse.ArgumentParser(prog="python -m bench features", description=__doc__)
    parser.add_argument("--media", type=Path, help="measure on this recording instead of a made one")
    parser.add_argument("--minutes", type=float, default=10, help="how much of it (default 10)")
    parser.add_argument("--frame-rate", type=float, default=4, help="frames per second of stream (default 4)")
    parser.add_argument("--extended", action="store_true", help="measure the extended signals too")
    parser.add_argument("--references", action="store_true", help="correlate with librosa and ffmpeg too")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(argv)
    ffmpeg = str(ffmpeg_path(None))
    with tempfile.TemporaryDirectory() as folder:
        media = options.media or made_minute(ffmpeg, Path(folder))
        pcm, frames = _decoded(ffmpeg, media, options.minutes, options.frame_rate)
        looks = _look_prices(media) if options.extended else {}
        correlations = _picture_correlations(ffmpeg, media) if options.references else {}

    frames_per_tick = int(options.frame_rate * TICK_S)
    ticks = min(len(pcm) // SAMPLES_PER_TICK, len(frames) // frames_per_tick)
    blocks = [
        (
            pcm[k * SAMPLES_PER_TICK :][: BLOCK_TICKS * SAMPLES_PER_TICK],
            frames[k * frames_per_tick :][: BLOCK_TICKS * frames_per_tick],
        )
        for k in range(0, ticks - ticks % BLOCK_TICKS, BLOCK_TICKS)
    ]
    figures = _prices(core_families(options.frame_rate), blocks)
    figures["all"] = figures["sound"] + figures["picture"]
    if options.extended:
        some = blocks[: max(1, round(EXTENDED_MINUTES * 60 / (BLOCK_TICKS * TICK_S)))]
        figures |= _prices(extended_families(), some) | looks

    extractor = FeatureExtractor(options.frame_rate)
    before = resident_mib()
    for block in blocks * 3:
        extractor.push(*block, ticks=BLOCK_TICKS)
    grown = resident_mib() - before
    minutes = len(blocks) * BLOCK_TICKS * TICK_S / 60
    out = sys.stdout
    out.write(f"{describe(ffmpeg)}\n{minutes:.1f} minutes, {options.frame_rate:g} frames a second\n\n")
    out.write(f"{'family':28} CPU-s per stream hour   share of all\n")
    for name, cost in figures.items():
        out.write(f"{name:28} {cost:8.2f} {cost / figures['all']:26.2f}\n")
    out.write(f"\nresident memory grown over {3 * minutes:.0f} minutes: {grown:.1f} MiB\n")
    if options.references:
        correlations |= _correlations(ffmpeg, pcm[: ticks * SAMPLES_PER_TICK])
    for name, value in correlations.items():
        out.write(f"{name:28} {value:8.4f}\n")
    write_json(
        options.json,
        {
            "cpu_s_per_hour": figures,
            "grown_mib": None if math.isnan(grown) else grown,
            "correlation": {name: None if math.isnan(value) else value for name, value in correlations.items()},
        },
    )
    return 0


def core_families(frame_rate_hz: float) -> dict[str, Family]:
    """What is measured for every tick; the indented ones are parts of the one above them, measured alone."""
    sound, picture = AudioFeatures(), VideoFeatures(frame_rate_hz)
    window = hann(N_FFT)
    pitch, voice = PitchFinder(window, SAMPLE_RATE_HZ), Voice(FRAMES_PER_TICK // SPARSE)
    bursts, loudness = Bursts(FRAMES_PER_TICK, FRAME_RATE_HZ), Loudness(SAMPLES_PER_TICK, HOP, N_FFT)
    random = np.random.default_rng(0)
    envelopes = random.random((PASS_TICKS, int(rhythm.ENVELOPE_S * FRAME_RATE_HZ)), np.float32)
    power = random.exponential(size=(PASS_TICKS * FRAMES_PER_TICK, N_FFT // 2 + 1)).astype(np.float32)
    square = power.mean(axis=1)
    sparse = power.reshape(PASS_TICKS, FRAMES_PER_TICK, -1)[:, SPARSE - 1 :: SPARSE]
    sparse_square = square.reshape(PASS_TICKS, FRAMES_PER_TICK)[:, SPARSE - 1 :: SPARSE]
    samples = random.standard_normal(PASS_TICKS * SAMPLES_PER_TICK).astype(np.float32)
    level_db = np.zeros(PASS_TICKS, np.float32)

    def passes(part: Callable[[], object]) -> Family:
        """A part as often as the sound calls it: once per pass."""

        def run(pcm: np.ndarray, frames: np.ndarray) -> None:
            for _ in range(math.ceil(len(pcm) / SAMPLES_PER_TICK / PASS_TICKS)):
                part()

        return run

    overlay = OverlayChange(SCENE_CUT)
    return {
        "sound": lambda pcm, frames: sound.push(pcm),
        "  tempo and beat": passes(lambda: rhythm.tempo_and_beat(envelopes, frame_rate_hz=FRAME_RATE_HZ)),
        "  pitch and voice": passes(lambda: voice.push(pitch.find(sparse, sparse_square), sparse_square)),
        "  spectral contrast": passes(lambda: sound.contrast(power)),
        "  bursts and modulation": passes(lambda: bursts.push(square)),
        "  loudness and surge": passes(lambda: loudness.push(samples, square.reshape(PASS_TICKS, -1), level_db)),
        "picture": lambda pcm, frames: picture.push(frames),
        "  edges": lambda pcm, frames: [cv2.Canny(frame[:HEIGHT_PX], CANNY_LOW, CANNY_HIGH) for frame in frames],
        "  overlays": lambda pcm, frames: [
            overlay.push(frames[start : start + picture.frames_per_tick, :HEIGHT_PX], 0.0)
            for start in range(0, len(frames), picture.frames_per_tick)
        ],
    }


def extended_families() -> dict[str, Family]:
    """The extended signals of sound; NaN is free, so what is not installed costs nothing."""
    return {
        f"extended: {name}": lambda pcm, frames, part=part: part(pcm.astype(np.float32) / 32768)
        for name, part in ExtendedAudio().parts().items()
    }


def _look_prices(media: Path) -> dict[str, float]:
    """CPU-seconds per hour of motion vectors and novelty of media, with their decode, and of the faces on top."""
    duration_s = min(probe(media).duration_s, EXTENDED_MINUTES * 60)
    cost = {True: [], False: []}
    for _ in range(ROUNDS):
        for faces in cost:
            before = cpu_s()
            looking.look(media, ticks=int(duration_s / TICK_S), faces=faces)
            cost[faces].append((cpu_s() - before) * 3600 / duration_s)
    both, vectors = (statistics.median(cost[faces]) for faces in (True, False))
    return {"extended: motion vectors": vectors, "extended: faces": both - vectors}


def _picture_correlations(ffmpeg: str, media: Path) -> dict[str, float]:
    info = probe(media)
    ours = dict(zip(VIDEO_NAMES, VideoFeatures(4).push(small_frames(ffmpeg, media, REFERENCE_S)).T, strict=True))
    size_px = info.width_px // 2 * 2, info.height_px // 2 * 2
    opencv = opencv_signals(ffmpeg, media, PITCH_REFERENCE_S, *size_px)
    filters = ffmpeg_picture_signals(ffmpeg, media, REFERENCE_S)
    return {f"OpenCV: {name}": correlation(ours[name][: len(theirs)], theirs) for name, theirs in opencv.items()} | {
        f"ffmpeg: {name}": correlation(ours[name][: len(theirs)], theirs) for name, theirs in filters.items()
    }


def _prices(families: dict[str, Family], blocks: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """CPU-seconds per stream hour: the median of rounds in which the families take turns."""
    hours = len(blocks) * BLOCK_TICKS * TICK_S / 3600
    for family in families.values():
        family(*blocks[0])
    rounds = [{name: _cost(family, blocks) / hours for name, family in families.items()} for _ in range(ROUNDS)]
    return {name: statistics.median(costs[name] for costs in rounds) for name in families}


def _cost(family: Family, blocks: list[tuple[np.ndarray, np.ndarray]]) -> float:
    before = cpu_s()
    for block in blocks:
        family(*block)
    return cpu_s() - before


def _correlations(ffmpeg: str, pcm: np.ndarray) -> dict[str, float]:
    pcm = pcm[: int(REFERENCE_S * SAMPLE_RATE_HZ)]
    ours = dict(zip(AUDIO_NAMES, AudioFeatures().push(pcm).T, strict=True))
    found = {f"ffmpeg: {name}": correlation(ours[name], theirs) for name, theirs in ffmpeg_signals(ffmpeg, pcm).items()}
    try:
        # The first tick holds frames that reach back before the sound, which librosa fills with zeros.
        found |= {
            f"librosa: {name}": correlation(ours[name][1:], theirs[1:]) for name, theirs in librosa_signals(pcm).items()
        }
        short = pcm[: int(PITCH_REFERENCE_S * SAMPLE_RATE_HZ)]
        voiced = np.where(ours["voiced_ratio"] >= 0.4, np.log(ours["pitch"]), np.nan)[: len(short) // SAMPLES_PER_TICK]
        found["librosa: pitch (pyin, log)"] = correlation(voiced, np.log(librosa_pitch(short)))
    except ImportError:
        sys.stdout.write("librosa is not installed; it comes with the bench extra\n")
    return found


def _decoded(ffmpeg: str, media: Path, minutes: float, frame_rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    base = [ffmpeg, "-v", "error", "-nostdin", "-threads", "1", "-stream_loop", "-1", "-i", str(media)]
    base += ["-t", str(minutes * 60)]
    sound = subprocess.run(
        [*base, "-vn", "-ac", "1", "-ar", str(SAMPLE_RATE_HZ), "-f", "s16le", "-"], check=True, capture_output=True
    )
    scaled = f"fps={frame_rate_hz:g},scale={WIDTH_PX}:{HEIGHT_PX}:flags=area,format=yuv420p"
    picture = subprocess.run([*base, "-an", "-vf", scaled, "-f", "rawvideo", "-"], check=True, capture_output=True)
    pcm = np.frombuffer(sound.stdout, np.int16, len(sound.stdout) // 2)
    return pcm, np.frombuffer(picture.stdout, np.uint8).reshape(-1, FRAME_ROWS, WIDTH_PX)
