"""CPU of cutting a clip in each way, against plain ffmpeg doing the same; what the check costs is told apart."""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.machine import Figure, cpu_s, describe, ended_children_s, load, print_figures, write_json
from bench.streams import LARGE_LOOP_S, looped, made_large
from kick_clip_generator.core.records import CutMode
from kick_clip_generator.media.cut import check_cut, cut
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.whole import check_whole

MODES: tuple[CutMode, ...] = ("exact", "smart", "copy")

# Of the CPU that `exact` takes.
SMART_SHARE = 1 / 20

# Half way between two keyframes, where clips start on average.
START_S = 17.0

# What plain ffmpeg can do; it has nothing like `smart`.
PLAIN: dict[CutMode, list[str]] = {
    "exact": ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-c:a", "aac", "-b:a", "192k", "-ar", "48000"],
    "copy": ["-c", "copy"],
}

Runs = dict[str, list[float]]


def main(argv: list[str]) -> int:
    """Measure and print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench cut", description=__doc__)
    parser.add_argument("--media", type=Path, help="take the pictures from this recording instead of made ones")
    parser.add_argument("--seconds", type=float, default=30, help="length of the clip (default 30)")
    parser.add_argument("--repeats", type=int, default=3, help="how often each side runs (default 3)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(argv)
    ffmpeg = str(ffmpeg_path(None))
    out = sys.stdout
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        piece = made_large(ffmpeg, folder, options.media)
        source = looped(ffmpeg, piece, folder / "source.mp4", START_S + options.seconds + LARGE_LOOP_S)
        runs = measured(ffmpeg, source, folder, options.seconds, options.repeats)
    figures = summary(runs)
    out.write(f"{describe(ffmpeg)}\na clip of {options.seconds:g} s of 1080p60, {options.repeats} runs each, medians; ")
    out.write(f"{load():.1f} processes busy\n\n")
    print_figures(out, figures)
    write_json(options.json, {"figures": [figure.to_dict() for figure in figures], "runs": runs})
    return 0 if all(figure.met for figure in figures) else 1


def measured(
    ffmpeg: str, source: Path, folder: Path, duration_s: float, repeats: int, start_s: float = START_S
) -> Runs:
    """CPU seconds of each side, in turns.

    Args:
        ffmpeg: the binary.
        source: what to cut; it starts at 0.
        folder: where clips are written.
        duration_s: of the clip.
        repeats: how often.
        start_s: of the clip.

    Returns:
        "exact", "smart" and "copy" for our cut, "plain exact" and "plain copy" for ffmpeg's, "check exact" and the like
        for checking our clip before it is published, "whole exact" and the like for decoding all of it behind that; one
        value per repeat.

    Raises:
        ValueError: the source does not allow one of them.
    """
    clip = folder / "clip.mp4"
    runs: Runs = {}
    for _ in range(repeats):
        for mode in MODES:
            # The cut looks for the start first, in this process; that is part of its price.
            with _timed(runs, mode):
                done = cut(ffmpeg, source, clip, start_s=start_s, duration_s=duration_s, mode=mode)
            with _timed(runs, f"check {mode}"):
                check_cut(clip, done, source)
            with _timed(runs, f"whole {mode}"):
                check_whole(clip)
            if done.mode != mode:
                raise ValueError(f"expected a {mode} cut, got {done.mode}: {done.note}")
            if mode not in PLAIN:
                continue
            words = ["-v", "error", "-nostdin", "-y", "-ss", str(start_s), "-i", str(source), "-t", str(duration_s)]
            plain = [ffmpeg, *words, *PLAIN[mode], "-movflags", "+faststart", str(clip)]
            with _timed(runs, f"plain {mode}"):
                subprocess.run(plain, check=True)
    return runs


def summary(runs: Runs) -> list[Figure]:
    """Medians per side, and medians of the ratios within a repeat."""
    figures: list[Figure] = []
    for mode in MODES:
        ours, check = runs[mode], runs[f"check {mode}"]
        figures += [
            Figure(f"{mode}: our cut", statistics.median(ours), unit="CPU-s"),
            Figure(f"{mode}: our check of the clip", statistics.median(check), unit="CPU-s"),
            Figure(f"{mode}: decoding all of it, later", statistics.median(runs[f"whole {mode}"]), unit="CPU-s"),
        ]
        if mode == "smart":
            figures.append(Figure("smart: cut / exact cut", _ratio(ours, runs["exact"]), SMART_SHARE, "x"))
        if mode not in PLAIN:
            continue
        plain = runs[f"plain {mode}"]
        figures += [
            Figure(f"{mode}: plain ffmpeg", statistics.median(plain), unit="CPU-s"),
            Figure(f"{mode}: cut / plain ffmpeg", _ratio(ours, plain), unit="x"),
            Figure(f"{mode}: cut and check / plain ffmpeg", _ratio(_added(ours, check), plain), unit="x"),
        ]
    return figures


def _ratio(of: Sequence[float], to: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def _added(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)]


@contextlib.contextmanager
def _timed(runs: Runs, side: str) -> Iterator[None]:
    before_s = cpu_s() + ended_children_s()
    yield
    runs.setdefault(side, []).append(cpu_s() + ended_children_s() - before_s)
