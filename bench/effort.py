"""CPU and accuracy of each analysis effort: `python -m bench effort DIR [--json FILE] [--keyframes-every S]`.

DIR holds `<id>.mp4` and `<id>.truth.json`, `score.py` lies in the folder above it. The CPU ratio is that of decoding a
stream of 1080p60 (made here, or `--media`); for two passes it holds the share of windows that were decoded again on
DIR. `--keyframes-every` encodes DIR's streams again first, at 60 fps with a keyframe every S seconds and no others: the
2 s of streaming software are the hardest case, for cuts have no keyframes of their own then.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.machine import describe, write_json
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Window, plan_windows
from kick_clip_generator.core.settings import Settings, load_settings
from kick_clip_generator.core.timeline import Timeline, first_tick_at
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.detect import MOST_PER_KIND, DetectionConfig, detect
from kick_clip_generator.media.commands import PICTURES, Pictures
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.effort import GLIMPSES, dense_windows, filled, overlay
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.pipeline.ticks import measure
from kick_clip_generator.sources.renditions import for_analysis
from kick_clip_generator.sources.resolve import resolve
from kick_clip_generator.sources.tracks import open_tracks

WIDE = DetectionConfig(max_audio=MOST_PER_KIND, max_video=MOST_PER_KIND)
LARGE_S = 20


@dataclass(frozen=True, slots=True)
class Looked:
    """What one choice of pictures gave of a stream: its windows' features, and the CPU seconds of the decoders."""

    timeline: Timeline
    windows: Sequence[Window]
    decoders_s: float


def main(argv: list[str]) -> int:
    """Print a row per effort; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench effort", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of labelled streams")
    parser.add_argument("--media", type=Path, help="a recording of 1080p60 to take the CPU ratio from")
    parser.add_argument(
        "--keyframes-every", type=float, metavar="S", help="encode the streams again with such keyframes"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(argv)
    truths = sorted(options.folder.glob("*.truth.json"))
    judge = options.folder.resolve().parent / "score.py"
    if not truths or not judge.is_file():
        parser.error(f"{options.folder} holds no *.truth.json, or there is no {judge}")
    ffmpeg = str(ffmpeg_path(None))
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        settings = load_settings({"temp_dir": work / "chunks"})
        large = _looks(options.media or _made_large(ffmpeg, work), settings)
        found: dict[str, dict[str, Timeline]] = {}
        shares: list[float] = []
        for path in truths:
            truth = json.loads(path.read_text(encoding="utf-8"))
            media = options.folder / truth["file"]
            if options.keyframes_every:
                media = _encoded_again(ffmpeg, media, work / "again.mp4", options.keyframes_every)
            timelines, share = _efforts(_looks(media, settings))
            shares.append(share)
            for effort, timeline in timelines.items():
                found.setdefault(effort, {})[truth["id"]] = timeline
        scores = {effort: _score(judge, options.folder, streams, work) for effort, streams in found.items()}
    share = float(np.mean(shares))
    decoders_s = {pictures: look.decoders_s for pictures, look in large.items()}
    cost = {
        **decoders_s,
        "keyframes": decoders_s["glimpses"] + share * decoders_s["references"],
    }
    rows = {effort: {"cpu_ratio": cost[effort] / cost["all"], **scores[effort]} for effort in scores}
    sys.stdout.write(f"{describe(ffmpeg)}\n{share:.0%} of the windows in the second pass of keyframes\n\n")
    sys.stdout.write(f"{'effort':12} {'CPU':>6} {'AP':>6} {'hit@5':>6}\n")
    for effort, row in rows.items():
        sys.stdout.write(f"{effort:12} {row['cpu_ratio']:6.2f} {row['ap']:6.3f} {row['hit@5']:6.2f}\n")
    write_json(options.json, {"efforts": rows, "dense_share": share, "large_decoders_s": decoders_s})
    return 0


def _looks(media: Path, settings: Settings) -> dict[Pictures, Looked]:
    """A file measured with each choice of pictures."""
    source = resolve(str(media), settings)
    windows = plan_windows(0.0, source.duration_s, length_s=settings.chunk_duration, overlap_s=settings.chunk_overlap)
    looks: dict[Pictures, Looked] = {}
    for pictures in PICTURES:
        settings.temp_dir.mkdir(parents=True, exist_ok=True)
        timeline = Timeline.unknown(NAMES, 0, first_tick_at(source.duration_s))
        options = DecodeOptions(str(ffmpeg_path(None)), settings.frame_rate_hz, settings.temp_dir, pictures)
        before_s = _children_s()
        with open_tracks(source, for_analysis(source, settings), settings, CancelToken()) as tracks:
            for result in measure(tracks, windows, options=options, cancel=CancelToken()):
                timeline.put(result.first_tick, result.rows)
        looks[pictures] = Looked(timeline, windows, _children_s() - before_s)
    return looks


def _efforts(looks: Mapping[Pictures, Looked]) -> tuple[dict[str, Timeline], float]:
    """The features that each effort detects in, and the share of windows in the second pass."""
    first, second = looks[GLIMPSES.first], looks["references"].timeline
    dense = dense_windows(first.timeline, first.windows, WIDE)
    both = filled(first.timeline)
    for window in dense:
        part = second.between(window.own_start_s, window.end_s)
        overlay(both, part.first_tick, part.values)
    timelines = {
        "all": looks["all"].timeline,
        "references": second,
        "glimpses": filled(first.timeline),
        "keyframes": both,
    }
    return timelines, len(dense) / len(first.windows)


def _score(judge: Path, truths: Path, streams: Mapping[str, Timeline], work: Path) -> dict[str, float]:
    """Means over streams, by `score.py`."""
    predictions, figures = work / "predictions", work / "figures.json"
    predictions.mkdir(exist_ok=True)
    for name, timeline in streams.items():
        found = [highlight.to_dict() for highlight in detect(timeline, WIDE).merged]
        (predictions / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")
    command = [sys.executable, str(judge), "--truth", str(truths), "--pred", str(predictions), "--json", str(figures)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    rows = json.loads(figures.read_text(encoding="utf-8"))["predicted"].values()
    return {key: float(np.mean([row[key] for row in rows])) for key in ("ap", "hit@1", "hit@5")}


def _children_s() -> float:
    """CPU seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _made_large(ffmpeg: str, folder: Path) -> Path:
    """1080p60 as streaming software makes it: 6 Mbit/s, two B-frames, a keyframe every 2 s."""
    target = folder / "large.mp4"
    picture = "testsrc2=size=1920x1080:rate=60,noise=alls=6:allf=t"
    rate = ["-b:v", "6M", "-maxrate", "7M", "-bufsize", "12M"]
    encoder = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "120", "-sc_threshold", "0", *rate]
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "anoisesrc=amplitude=0.3:sample_rate=48000"]
    end = ["-t", str(LARGE_S), "-pix_fmt", "yuv420p", "-c:a", "aac", str(target)]
    subprocess.run([ffmpeg, "-v", "error", "-nostdin", "-y", *inputs, *encoder, *end], check=True)
    return target


def _encoded_again(ffmpeg: str, media: Path, target: Path, every_s: float) -> Path:
    """A stream at 60 fps with keyframes at even distances."""
    encoder = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-sc_threshold", "0", "-b:v", "1200k"]
    keyframes = ["-r", "60", "-g", str(round(60 * every_s)), "-pix_fmt", "yuv420p", "-c:a", "copy"]
    command = [ffmpeg, "-v", "error", "-nostdin", "-y", "-i", str(media), *encoder, *keyframes, str(target)]
    subprocess.run(command, check=True)
    return target
