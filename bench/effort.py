"""CPU and accuracy of each analysis effort: `python -m bench effort DIR [--json FILE] [--keyframes-every S]`.

DIR holds `<id>.mp4` and `<id>.truth.json`, `score.py` lies in the folder above it. The CPU is that of a whole analysis
(decoders, sound, features; without the imports) of a stream of 1080p60, made here, or `--media`; its ratio is to one
ffmpeg that decodes picture and sound of the file with one thread and computes nothing, medians of interleaved runs.
`--keyframes-every` encodes DIR's streams again first, at 60 fps with a keyframe every S seconds and no others: the
2 s of streaming software are the hardest case, for cuts have no keyframes of their own then.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.machine import describe, write_json
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import plan_windows
from kick_clip_generator.core.settings import Settings, load_settings
from kick_clip_generator.core.timeline import Timeline, first_tick_at
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.highlights.detect import MOST_PER_KIND, DetectionConfig, detect
from kick_clip_generator.media.commands import PICTURES, Pictures
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.effort import filled
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.pipeline.ticks import measure
from kick_clip_generator.sources.renditions import for_analysis
from kick_clip_generator.sources.resolve import resolve
from kick_clip_generator.sources.tracks import open_tracks

WIDE = DetectionConfig(max_audio=MOST_PER_KIND, max_video=MOST_PER_KIND)
LARGE_S = 60
RUNS = 3
MOST_CPU = 0.10
MOST_AP_LOST = 0.02


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
        found: dict[str, dict[str, Timeline]] = {}
        for path in truths:
            truth = json.loads(path.read_text(encoding="utf-8"))
            media = options.folder / truth["file"]
            if options.keyframes_every:
                media = _encoded_again(ffmpeg, media, work / "again.mp4", options.keyframes_every)
            for pictures in PICTURES:
                timeline = _look(media, settings, pictures)
                found.setdefault(pictures, {})[truth["id"]] = filled(timeline) if pictures == "glimpses" else timeline
        scores = {effort: _score(judge, options.folder, streams, work) for effort, streams in found.items()}
        cpu_s = _cpu_s(ffmpeg, options.media or _made_large(ffmpeg, work), settings)
    rows = {effort: {"cpu_ratio": cpu_s[effort] / cpu_s["bare"], **scores[effort]} for effort in scores}
    lost = rows["all"]["ap"] - rows["glimpses"]["ap"]
    sys.stdout.write(f"{describe(ffmpeg)}\nbare decode: {cpu_s['bare']:.0f} CPU-s an hour\n\n")
    sys.stdout.write(f"{'pictures':12} {'CPU':>6} {'AP':>6} {'hit@5':>6}\n")
    for effort, row in rows.items():
        sys.stdout.write(f"{effort:12} {row['cpu_ratio']:6.3f} {row['ap']:6.3f} {row['hit@5']:6.2f}\n")
    sys.stdout.write(f"\nglimpses: CPU {rows['glimpses']['cpu_ratio']:.3f} (target: at most {MOST_CPU})\n")
    sys.stdout.write(f"glimpses: AP lost {lost:.3f} (target: at most {MOST_AP_LOST})\n")
    write_json(options.json, {"efforts": rows, "large_cpu_s_per_h": cpu_s})
    return 0


def _look(media: Path, settings: Settings, pictures: Pictures) -> Timeline:
    """The features of a file's windows."""
    source = resolve(str(media), settings)
    windows = plan_windows(0.0, source.duration_s, length_s=settings.chunk_duration, overlap_s=settings.chunk_overlap)
    settings.temp_dir.mkdir(parents=True, exist_ok=True)
    timeline = Timeline.unknown(NAMES, 0, first_tick_at(source.duration_s))
    options = DecodeOptions(str(ffmpeg_path(None)), settings.frame_rate_hz, settings.temp_dir, pictures)
    with open_tracks(source, for_analysis(source, settings), settings, CancelToken()) as tracks:
        for result in measure(tracks, windows, options=options, cancel=CancelToken()):
            timeline.put(result.first_tick, result.rows)
    return timeline


def _cpu_s(ffmpeg: str, media: Path, settings: Settings) -> dict[str, float]:
    """CPU seconds per stream hour of a bare decode and of an analysis with each choice of pictures."""
    sound = ["-map", "0:a", "-ac", "1", "-ar", "16000", "-f", "null", "-"]
    bare = [ffmpeg, "-v", "error", "-nostdin", "-threads", "1", "-i", str(media), "-map", "0:v", "-f", "null", "-"]
    spent: dict[str, list[float]] = {}
    duration_s = resolve(str(media), settings).duration_s
    for _ in range(RUNS):
        before_s = _used_s()
        subprocess.run([*bare, *sound], check=True)
        spent.setdefault("bare", []).append((_used_s() - before_s) * 3600 / duration_s)
        for pictures in PICTURES:
            before_s = _used_s()
            _look(media, settings, pictures)
            spent.setdefault(pictures, []).append((_used_s() - before_s) * 3600 / duration_s)
    return {what: float(np.median(values)) for what, values in spent.items()}


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


def _used_s() -> float:
    """CPU seconds of this process and of those it started that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


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
