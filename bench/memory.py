"""Memory of an analysis as the stream goes by, of its imports, and the CPU up to the first result."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.machine import Figure, describe, load, print_figures, write_json
from bench.sides import analysis
from bench.streams import hls_with_1080p60, made_minute, served
from kick_clip_generator.media.ffmpeg import ffmpeg_path

MOST_ABOVE_IMPORTS_MB = 60.0
MOST_IMPORTS_MB = 150.0
MOST_FIRST_RESULT_S = 1.5
STEP_S = 600
# A stream of one window: of a longer one, the decoders are far ahead when the first window is finished.
START_S = 30.0
STARTS = 3
MB_PER_MIB = 2**20 / 1e6


def main(argv: list[str]) -> int:
    """Measure; 1 when a target is missed, 2 where the system does not tell a process's memory."""
    parser = argparse.ArgumentParser(prog="python -m bench memory", description=__doc__)
    parser.add_argument("--media", type=Path, help="take the looped minute from this recording instead of a made one")
    parser.add_argument("--minutes", type=float, default=60, help="length of the stream (default 60)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(argv)
    if not Path("/proc/self/status").exists():
        parser.error("memory is read from /proc, which this system does not have")
    ffmpeg = str(ffmpeg_path(None))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        minute = made_minute(ffmpeg, folder, options.media)
        for stream, duration_s in (("long", options.minutes * 60), ("start", START_S)):
            hls_with_1080p60(ffmpeg, minute, folder / "web" / stream, duration_s)
        with served(folder / "web") as address:
            starts = [analysis(f"{address}/start/master.m3u8", folder) for _ in range(STARTS)]
            long = analysis(f"{address}/long/master.m3u8", folder)

    figures = summary(long, starts)
    sys.stdout.write(f"{describe(ffmpeg)}\nload {load():.1f}; {options.minutes:g} minutes of 284x160 at 30 fps\n\n")
    print_figures(sys.stdout, figures)
    write_json(options.json, {"figures": [figure.to_dict() for figure in figures], "long": long, "starts": starts})
    return int(not all(figure.met for figure in figures))


def summary(long: Mapping[str, Any], starts: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Memory every ten minutes of the long run, then what has a target.

    Args:
        long: figures of one analysis; `memory` holds rows of (stream seconds, resident MiB, most MiB so far).
        starts: figures of those of one window.
    """
    imported_mib = long["imported_mib"]
    figures = []
    step = 1
    for stream_s, resident, _ in long["memory"]:
        if stream_s >= step * STEP_S:
            name = f"resident above the imports, minute {step * STEP_S // 60}"
            figures.append(Figure(name, (resident - imported_mib) * MB_PER_MIB, unit="MB"))
            step = math.floor(stream_s / STEP_S) + 1
    first_s = statistics.median(run["first_window_cpu_s"] for run in starts)
    imports_s = statistics.median(run["imported_cpu_s"] for run in starts)
    return [
        *figures,
        Figure("the decoders' processes, at most", long["decoders_mib"] * MB_PER_MIB, unit="MB"),
        Figure(
            "resident above the imports, at most",
            (long["peak_mib"] - imported_mib) * MB_PER_MIB,
            MOST_ABOVE_IMPORTS_MB,
            "MB",
        ),
        Figure("the imports", imported_mib * MB_PER_MIB, MOST_IMPORTS_MB, "MB"),
        Figure("CPU of the imports", imports_s, unit="s"),
        Figure("CPU from the start to the first window", first_s, MOST_FIRST_RESULT_S, "s"),
        Figure("the same in the long stream, with what was decoded ahead", long["first_window_cpu_s"], unit="s"),
    ]
