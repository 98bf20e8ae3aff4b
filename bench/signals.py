"""CPU of an analysis with and without the extended signals against the bare decode of the same recordings."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from bench.machine import Figure, describe, load, print_figures, write_json
from bench.sides import analysis, bare_decode
from kick_clip_generator.media.ffmpeg import ffmpeg_path

MOST_TIMES_BARE = {"core": 1.5, "candidates": 2.0}
CHOICES = ("core", "candidates", "all")


def main(argv: list[str]) -> int:
    """Measure; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench signals", description=__doc__)
    parser.add_argument("folder", type=Path, help="with recordings as MP4")
    parser.add_argument("--signals", nargs="+", choices=CHOICES, default=CHOICES[:2], help="what to compare")
    parser.add_argument("--repeats", type=int, default=1, help="how often each side runs (default 1)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(argv)
    ffmpeg = str(ffmpeg_path(None))
    recordings = sorted(options.folder.resolve().glob("*.mp4"))
    if not recordings:
        parser.error(f"{options.folder} holds no MP4")
    loads = [load()]
    rounds: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        for _ in range(options.repeats):
            for recording in recordings:
                found = {"bare": bare_decode(ffmpeg, recording)}
                for signals in options.signals:
                    ours = analysis(str(recording), Path(name), {"SIGNALS": signals})
                    found |= {signals: ours["all_s"], f"{signals}_lean": ours["all_s"] - ours["imported_cpu_s"]}
                rounds.append(found)
    loads.append(load())
    figures = [
        Figure(
            f"SIGNALS={signals}{' without imports' if lean else ''} / bare decode",
            statistics.mean(one[signals + lean] for one in rounds) / statistics.mean(one["bare"] for one in rounds),
            MOST_TIMES_BARE.get(signals),
            "x",
        )
        for signals in options.signals
        for lean in ("", "_lean")
    ]
    out = sys.stdout
    out.write(f"{describe(ffmpeg)}\nload {loads[0]:.1f} before, {loads[1]:.1f} after; ")
    out.write(f"{len(recordings)} recordings, {options.repeats} rounds, sums\n\n")
    print_figures(out, figures)
    write_json(options.json, {"load": loads, "figures": [figure.to_dict() for figure in figures], "rounds": rounds})
    return int(not all(figure.met for figure in figures))
