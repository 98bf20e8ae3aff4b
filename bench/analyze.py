"""CPU and memory of a whole analysis against the bare decode of the same rendition, in one interleaved run."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.machine import describe, write_json
from bench.sides import analysis, bare_decode
from bench.streams import hls_with_1080p60, looped, made_minute, served
from kick_clip_generator.media.ffmpeg import ffmpeg_path

MOST_TIMES_BARE = 2.0
MOST_ABOVE_IMPORTS_MIB = 60.0


def main(argv: list[str]) -> int:
    """Measure; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench analyze", description=__doc__)
    parser.add_argument("--media", type=Path, help="take the looped minute from this recording instead of a made one")
    parser.add_argument("--minutes", type=float, default=10, help="length of the stream (default 10)")
    parser.add_argument("--repeats", type=int, default=3, help="how often each side runs (default 3)")
    parser.add_argument(
        "--memory-minutes", type=float, default=0, help="one more run of this length, for memory (60 is the target's)"
    )
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(argv)
    ffmpeg = str(ffmpeg_path(None))
    out = sys.stdout
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        minute = made_minute(ffmpeg, folder, options.media)
        whole = looped(ffmpeg, minute, folder / "whole.ts", options.minutes * 60)
        hls_with_1080p60(ffmpeg, minute, folder / "web" / "short", options.minutes * 60)
        runs: list[dict[str, Any]] = []
        with served(folder / "web") as address:
            for _ in range(options.repeats):
                bare_s = bare_decode(ffmpeg, whole)
                runs.append({"bare_s": bare_s, **analysis(f"{address}/short/master.m3u8", folder)})
            if options.memory_minutes:
                hls_with_1080p60(ffmpeg, minute, folder / "web" / "long", options.memory_minutes * 60)
                runs.append(analysis(f"{address}/long/master.m3u8", folder))

    figures = _summary(runs[: options.repeats], runs[options.repeats :], options.minutes)
    out.write(f"{describe(ffmpeg)}\n{options.minutes:g} minutes of 284x160 at 30 fps, ")
    out.write(f"{options.repeats} runs each, medians\n\n")
    for key, value in figures.items():
        out.write(f"{key:38} {value:9.2f}\n")
    write_json(options.json, {"figures": figures, "runs": runs})
    missed = figures["times_bare"] > MOST_TIMES_BARE or figures["above_imports_mib"] > MOST_ABOVE_IMPORTS_MIB
    verdict = "missed" if missed else "met"
    out.write(f"\n{verdict}: at most {MOST_TIMES_BARE:g} x bare decode, {MOST_ABOVE_IMPORTS_MIB:g} MiB above imports\n")
    return int(missed)


def _summary(short: list[dict[str, Any]], long: list[dict[str, Any]], minutes: float) -> dict[str, float]:
    def middle(key: str) -> float:
        return float(statistics.median(run[key] for run in short))

    hours = minutes / 60
    above = [run["peak_mib"] - run["imported_mib"] for run in short]
    figures = {
        "bare_cpu_s": middle("bare_s"),
        "analysis_cpu_s": middle("all_s"),
        "times_bare": statistics.median(run["all_s"] / run["bare_s"] for run in short),
        "times_bare_without_imports": statistics.median(
            (run["all_s"] - run["imported_cpu_s"]) / run["bare_s"] for run in short
        ),
        "bare_cpu_s_per_stream_hour": middle("bare_s") / hours,
        "analysis_cpu_s_per_stream_hour": middle("all_s") / hours,
        "python_cpu_s_per_stream_hour": statistics.median(run["own_cpu_s"] - run["imported_cpu_s"] for run in short)
        / hours,
        "imports_cpu_s": middle("imported_cpu_s"),
        "speed_times_real_time": minutes * 60 / middle("wall_s"),
        "imports_mib": middle("imported_mib"),
        "above_imports_mib": max(above),
    }
    for run in long:
        figures["above_imports_long_mib"] = run["peak_mib"] - run["imported_mib"]
        for stream_s, resident, _ in run["memory"]:
            if stream_s >= 600 and "above_imports_at_10_min_mib" not in figures:
                figures["above_imports_at_10_min_mib"] = resident - run["imported_mib"]
            figures["above_imports_at_end_mib"] = resident - run["imported_mib"]
    return figures
