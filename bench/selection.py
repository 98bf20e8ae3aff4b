"""CPU and memory of the selection, from features to clips, of a long stream: `python -m bench selection [--hours H]`.

The features are made: jitter with an event every two minutes. The selection runs in a process of its own, so that the
memory is its own; what the imports and the features take is told apart.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.machine import Figure, cpu_s, describe, print_figures, resident_mib, write_json
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.detect import MOST_PER_KIND, DetectionConfig, segment
from kick_clip_generator.highlights.signals import SIGNALS, SUFFIX
from kick_clip_generator.media.ffmpeg import ffmpeg_path

MOST_CPU_S, MOST_MB = 3.0, 200.0
MB_PER_MIB = 2**20 / 1e6
EVENT_EVERY_S, EVENT_S = 120, 10
INSIDE = "--inside"


def main(argv: list[str]) -> int:
    """Measure; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench selection", description=__doc__)
    parser.add_argument("--hours", type=float, default=10.0, help="length of the stream (default 10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.inside:
        sys.stdout.write(json.dumps(measured(options.hours)))
        return 0
    command = [sys.executable, "-m", "bench", "selection", INSIDE, "--hours", str(options.hours)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    figures = [
        Figure("CPU of the selection", found["cpu_s"], MOST_CPU_S, "s"),
        Figure("its memory, at most", found["mib"] * MB_PER_MIB, MOST_MB, "MB"),
        Figure("candidates", found["candidates"]),
        Figure("highlights", found["highlights"]),
    ]
    sys.stdout.write(f"{describe(str(ffmpeg_path(None)))}\n{options.hours:g} hours, {len(NAMES)} signals\n\n")
    print_figures(sys.stdout, figures)
    write_json(options.json, {"figures": [figure.to_dict() for figure in figures]})
    return int(not all(figure.met for figure in figures))


def measured(hours: float) -> dict[str, float]:
    """CPU seconds and MiB of one selection in this process."""
    timeline = made(round(hours * 3600 / TICK_S))
    config = DetectionConfig(max_audio=MOST_PER_KIND, max_video=MOST_PER_KIND)
    # Whatever numpy loads with its first sort is not the stream's.
    segment(replace(timeline, values=timeline.values[:100]), config)
    before_s, before_mib = cpu_s(), resident_mib()
    found = segment(timeline, config)
    return {
        "cpu_s": cpu_s() - before_s,
        "mib": resident_mib("VmHWM") - before_mib,
        "candidates": len(found.proposals),
        "highlights": len(found.detection.merged),
    }


def made(ticks: int) -> Timeline:
    """Jitter of every signal, and events in which those that have a weight stand out."""
    config = DetectionConfig()
    weights = {**config.audio_weights, **config.video_weights}
    random = np.random.default_rng(0)
    values = np.empty((ticks, len(NAMES)), np.float32)
    inside = np.arange(ticks) * TICK_S % EVENT_EVERY_S < EVENT_S
    for column, name in enumerate(NAMES):
        step = 2 * SIGNALS[name].floor
        values[:, column] = step * (10 + random.standard_normal(ticks))
        values[inside, column] += step * 3 * np.sign(weights.get(name + SUFFIX, 0.0))
    return Timeline(NAMES, values)
