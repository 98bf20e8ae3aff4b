"""The usual script for this job, one chunk after the other: `python -m bench.chunk_pipeline MEDIA SECONDS FFMPEG`.

It is what a user would write with librosa and OpenCV: every 30 s are cut to a file, `librosa.load` and the signals of
the sound; every frame read, every tenth looked at. It prints one line of JSON: CPU seconds, children included, and the
seconds of the stream. Imports, numba's compiling and the first use of everything are not charged: the sound of one
chunk is measured before the clock starts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import cv2
import librosa
import numpy as np

from bench.machine import cpu_s, ended_children_s

CHUNK_S = 30
EVERY = 10
SAMPLE_RATE_HZ = 22050
N_MFCC = 13
CANNY_LOW, CANNY_HIGH = 100, 200


def sound_of(chunk: Path) -> dict[str, np.ndarray]:
    """The signals of the sound as librosa's tutorial takes them, with its defaults."""
    samples, rate = librosa.load(chunk, sr=SAMPLE_RATE_HZ)
    tempo, beats = librosa.beat.beat_track(y=samples, sr=rate)
    return {
        "rms": librosa.feature.rms(y=samples),
        "centroid": librosa.feature.spectral_centroid(y=samples, sr=rate),
        "zero_crossings": librosa.feature.zero_crossing_rate(samples),
        "rolloff": librosa.feature.spectral_rolloff(y=samples, sr=rate),
        "mfcc": librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=N_MFCC),
        "tempo": np.atleast_1d(tempo),
        "beats": beats,
        "magnitude": np.abs(librosa.stft(samples)),
    }


def picture_of(chunk: Path) -> np.ndarray:
    """Rows of (mean difference to the last frame looked at, share of edges, variance of gray), every tenth frame."""
    reader = cv2.VideoCapture(str(chunk))
    rows: list[tuple[float, float, float]] = []
    before: np.ndarray | None = None
    number = 0
    while True:
        there, frame = reader.read()
        if not there:
            break
        if number % EVERY == 0:
            gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            moved = float("nan") if before is None else float(cv2.absdiff(gray, before).mean())
            edges = cv2.Canny(gray, CANNY_LOW, CANNY_HIGH)
            rows.append((moved, float((edges > 0).mean()), float(gray.var())))
            before = gray
        number += 1
    reader.release()
    return np.array(rows)


def pipeline(media: Path, duration_s: float, ffmpeg: str) -> dict[str, float]:
    """Run it over the first `duration_s` of a recording; CPU seconds, and how much was measured."""
    warnings.simplefilter("ignore")  # librosa says of every chunk that it is not a sound file
    # For those librosa runs whatever `ffmpeg` is on the path; here it is the same binary as everywhere.
    Path("bin").mkdir()
    Path("bin", "ffmpeg").symlink_to(ffmpeg)
    os.environ["PATH"] = f"{Path('bin').resolve()}{os.pathsep}{os.environ['PATH']}"
    sound_of(_cut(ffmpeg, media, 0))
    warm_up_s = _spent_s()
    starts = range(0, int(duration_s), CHUNK_S)
    frames = 0
    for start_s in starts:
        chunk = _cut(ffmpeg, media, start_s)
        sound_of(chunk)
        frames += len(picture_of(chunk))
    return {
        "measured_s": _spent_s() - warm_up_s,
        "warm_up_s": warm_up_s,
        "stream_s": len(starts) * CHUNK_S,
        "frames": frames,
    }


def _cut(ffmpeg: str, media: Path, start_s: float) -> Path:
    target = Path("chunk.mp4")
    span = ["-ss", str(start_s), "-t", str(CHUNK_S), "-i", str(media)]
    subprocess.run([ffmpeg, "-v", "error", "-nostdin", "-y", *span, "-c", "copy", str(target)], check=True)
    return target


def _spent_s() -> float:
    return cpu_s() + ended_children_s()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(pipeline(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])) + "\n")
