"""Our analysis against what a user could take instead, in one interleaved run: librosa + OpenCV, PySceneDetect."""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import Figure, cpu_of, describe, load, print_figures, write_json
from bench.sides import analysis, bare_decode, in_child
from bench.streams import LARGE_LOOP_S, hls_with_1080p60, looped, made_large, made_minute, served
from kick_clip_generator.media.ffmpeg import ffmpeg_path

MOST_TIMES_BARE = 1.5
MOST_OF_CHUNKS = 1 / 100
MOST_OF_SCENEDETECT = 1 / 2.3
MOST_OF_LARGE_DECODE = 1 / 10

# PySceneDetect's wheel asks for opencv-python, which would overwrite the `cv2` of opencv-python-headless.
INSTALL_SCENEDETECT = "pip install click platformdirs && pip install --no-deps scenedetect"
NO_AUTO_EDITOR = (
    "auto-editor is skipped: its releases in Python are withdrawn, and the package that is left downloads a program."
)


@dataclass(frozen=True, slots=True)
class Streams:
    """The made recordings.

    Attributes:
        small: the 160p rendition as a file, `small_url` the HLS stream that offers it beside 1080p60.
        large: 1080p60 alone; it repeats itself every `LARGE_LOOP_S`, so that long tells what an hour costs.
    """

    folder: Path
    small: Path
    small_url: str
    small_s: float
    large: Path
    large_s: float


def main(argv: list[str]) -> int:
    """Measure; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench peers", description=__doc__)
    parser.add_argument("--media", type=Path, help="take the looped pieces from this recording instead of made ones")
    parser.add_argument("--minutes", type=float, default=10, help="length of the 160p stream (default 10)")
    parser.add_argument("--large-minutes", type=float, default=5, help="length of the 1080p60 file (default 5)")
    parser.add_argument("--repeats", type=int, default=3, help="how often each side runs (default 3)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(argv)
    ffmpeg = str(ffmpeg_path(None))
    missing = skipped()
    loads = [load()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media = options.media.resolve() if options.media else None
        minute = made_minute(ffmpeg, folder, media)
        small_s, large_s = options.minutes * 60, options.large_minutes * 60
        hls_with_1080p60(ffmpeg, minute, folder / "web", small_s)
        small = looped(ffmpeg, minute, folder / "small.mp4", small_s)
        large = looped(ffmpeg, made_large(ffmpeg, folder, media), folder / "long.mp4", large_s)
        with served(folder / "web") as address:
            streams = Streams(folder, small, f"{address}/master.m3u8", small_s, large, large_s)
            rounds = [one_round(ffmpeg, streams, missing) for _ in range(options.repeats)]
    loads.append(load())

    figures = summary(rounds)
    out = sys.stdout
    out.write(
        f"{describe(ffmpeg)}\nload {loads[0]:.1f} before, {loads[1]:.1f} after; {options.repeats} rounds, medians; "
    )
    out.write(f"{options.minutes:g} minutes of 284x160 at 30 fps, {options.large_minutes:g} of 1080p60\n\n")
    print_figures(out, figures)
    out.write("".join(f"\n{sentence}" for sentence in (*missing.values(), NO_AUTO_EDITOR)) + "\n")
    write_json(options.json, {"load": loads, "figures": [figure.to_dict() for figure in figures], "rounds": rounds})
    return int(not all(figure.met for figure in figures))


def skipped() -> dict[str, str]:
    """The peers that are not installed, with what to do about it."""
    sentences = {
        "librosa": "The chunks are skipped: librosa comes with the bench extra.",
        "scenedetect": f"PySceneDetect is skipped; to have it: {INSTALL_SCENEDETECT}",
    }
    return {name: text for name, text in sentences.items() if importlib.util.find_spec(name) is None}


def one_round(ffmpeg: str, streams: Streams, missing: Mapping[str, str]) -> dict[str, float]:
    """CPU seconds per stream hour of every side, one after the other."""
    small_h, large_h, loop_h = streams.small_s / 3600, streams.large_s / 3600, LARGE_LOOP_S / 3600
    found = {"bare": bare_decode(ffmpeg, streams.small) / small_h}
    ours = analysis(streams.small_url, streams.folder)
    found |= {"ours": ours["all_s"] / small_h, "ours_lean": (ours["all_s"] - ours["imported_cpu_s"]) / small_h}
    if "scenedetect" not in missing:
        command = [sys.executable, "-m", "scenedetect", "-q", "-i", str(streams.small), "detect-content"]
        found["scenedetect"] = cpu_of(command, cwd=streams.folder) / small_h
    if "librosa" not in missing:
        # Compiled once for all rounds: what numba keeps beside librosa may be another machine's.
        environment = {"NUMBA_CACHE_DIR": str(streams.folder / "numba")}
        arguments = [str(streams.large), str(LARGE_LOOP_S), ffmpeg]
        chunks = in_child("bench.chunk_pipeline", arguments, streams.folder, environment)
        found["chunks"] = chunks["measured_s"] / (chunks["stream_s"] / 3600)
    found["large_bare"] = bare_decode(ffmpeg, streams.large, LARGE_LOOP_S) / loop_h
    large = analysis(str(streams.large), streams.folder)
    found |= {"large": large["all_s"] / large_h, "large_lean": (large["all_s"] - large["imported_cpu_s"]) / large_h}
    return found


def summary(rounds: Sequence[Mapping[str, float]]) -> list[Figure]:
    """Medians: the costs of each side, then the ratios, each taken within its round.

    Sides that were not measured are left out. Imports are fixed costs that a short stream exaggerates, so they are told
    apart where both sides have them or neither has; the chunks are charged none, which is in their favor.
    """
    sides = (
        ("160p: bare decode", "bare"),
        ("160p: our analysis", "ours"),
        ("160p: our analysis without imports", "ours_lean"),
        ("160p: PySceneDetect detect-content", "scenedetect"),
        ("1080p60: librosa and OpenCV on chunks", "chunks"),
        ("1080p60: bare decode", "large_bare"),
        ("1080p60: our analysis", "large"),
        ("1080p60: our analysis without imports", "large_lean"),
    )
    ratios = (
        ("160p: analysis / bare decode", "ours", "bare", MOST_TIMES_BARE),
        ("160p: analysis without imports / bare decode", "ours_lean", "bare", MOST_TIMES_BARE),
        ("160p: analysis / PySceneDetect", "ours", "scenedetect", MOST_OF_SCENEDETECT),
        ("160p: analysis / librosa and OpenCV on 1080p60", "ours", "chunks", MOST_OF_CHUNKS),
        ("1080p60 only: analysis / bare decode", "large", "large_bare", MOST_OF_LARGE_DECODE),
        ("1080p60 only: without imports / bare decode", "large_lean", "large_bare", MOST_OF_LARGE_DECODE),
    )
    measured = rounds[0].keys()
    costs = [
        Figure(name, statistics.median(one[key] for one in rounds), unit="s/h")
        for name, key in sides
        if key in measured
    ]
    return costs + [
        Figure(name, statistics.median(one[above] / one[below] for one in rounds), most, "x")
        for name, above, below, most in ratios
        if below in measured
    ]
