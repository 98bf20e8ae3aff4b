"""What reading a stream costs on the test origin: bytes, requests, parsing, and memory over ten hours."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.machine import cpu_s, describe, write_json
from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Highlight, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.generator import KickClipGenerator
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.service.generate import GenerateRequest, GenerateResult, generate_highlights
from kick_clip_generator.service.library import open_library
from kick_clip_generator.sources.hls.playlist import parse_media
from tests.origin import Origin, random_faults
from tests.origin.virtual import SEGMENT_S, VirtualStream

ROOT = Path(__file__).resolve().parent.parent
SHORT_S = 1200.0
CLIP_S = 30.0
CLIPS = 20
LONG_SEGMENTS = 9000
TOO_MANY_LINES = 1_000_000
FAILING = 0.05
PARTS = ("bytes", "parse", "faults", "memory")


@dataclass(frozen=True)
class Figure:
    """A measurement, and the most that it may be."""

    name: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        return self.value <= self.most


def main(argv: list[str]) -> int:
    """Measure; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench sources", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument("--hours", type=float, default=10, help="length of the stream for memory (default 10)")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(argv)
    wanted = (options.only,) if options.only else PARTS
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "bytes" in wanted:
            figures += _bytes(folder)
        if "parse" in wanted:
            figures += _parse()
        if "faults" in wanted:
            figures += _faults(folder)
        if "memory" in wanted:
            figures += _memory(folder, options.hours)
    out = sys.stdout
    out.write(f"{describe(str(ffmpeg_path(None)))}\n\n{'':62} {'measured':>10} {'at most':>10}\n")
    for one in figures:
        out.write(f"{one.name:62} {one.value:10.4g} {one.most:10.4g}{'' if one.met else '  MISSED'}\n")
    write_json(options.json, {"figures": [asdict(one) | {"met": one.met} for one in figures]})
    return int(not all(one.met for one in figures))


def _bytes(folder: Path) -> list[Figure]:
    """Bytes of an analysis of 160p beside 1080p60, and segments of clips cut from the latter."""
    stream = VirtualStream.made(folder / "bytes", SHORT_S)
    with _served(folder, stream) as origin, _at_home(folder) as settings:
        url = origin.url("/v/master.m3u8")
        result = _analyzed(url, settings)
        fetched = origin.bytes_sent.total()
        most_often = max(count for path, count in origin.requests.items() if path.endswith(".ts"))
        apart = [Span(start_s, start_s + CLIP_S) for start_s in _spread(CLIPS, SHORT_S - CLIP_S)]
        clips = _cut(origin, stream, url, settings, apart, "apart from each other")
        # In pairs that share two thirds, the second of each behind the first of all.
        pairs = [Span(one.start_s + 1, one.end_s + 1) for one in apart[::2]]
        pairs += [Span(one.start_s + CLIP_S / 3, one.end_s + CLIP_S / 3) for one in pairs]
        clips += _cut(origin, stream, url, settings, pairs, "that overlap in pairs")
    assert result.analysis.windows["done"]
    return [
        Figure("bytes of an analysis / of the rendition that it reads", fetched / stream.size("160p"), 1.03),
        Figure("bytes of an analysis / of the 1080p60 rendition", fetched / stream.size("1080p60"), 1 / 20),
        Figure("requests for the segment asked for most often", most_often, 1),
        *clips,
    ]


def _cut(
    origin: Origin, stream: VirtualStream, url: str, settings: Settings, spans: Sequence[Span], how: str
) -> list[Figure]:
    """Segments and bytes of the 1080p60 rendition that cutting some spans takes."""
    origin.forget()
    found = [Highlight("both", 0.5, one.start_s + CLIP_S / 2, one, one) for one in spans]
    files = KickClipGenerator(settings=settings).generate_clips(url, found, cut="copy")
    assert len(files) == len(spans)
    asked = {path: count for path, count in origin.requests.items() if "/1080p60_" in path}
    numbers = {n for span in spans for n in range(stream.segments) if _overlaps(n, span)}
    touched = {f"/v/1080p60_{n:05d}.ts" for n in numbers}
    size = sum(len(stream.renditions["1080p60"].segment(n)) for n in numbers)
    return [
        Figure(f"segments fetched for {len(spans)} clips of {CLIP_S:g} s {how}", len(asked), len(touched)),
        Figure("  of which no clip touches", len(asked.keys() - touched), 0),
        Figure("  requests for one that had been fetched before", sum(asked.values()) - len(asked), 0),
        Figure(
            "  bytes / of the segments that the clips touch",
            sum(origin.bytes_sent[path] for path in asked) / size,
            1.02,
        ),
    ]


def _parse() -> list[Figure]:
    """CPU of reading a ten-hour playlist, and whether an absurd one is refused."""
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    dated = "#EXT-X-PROGRAM-DATE-TIME:2026-11-21T{:02d}:{:02d}:{:02d}.000Z\n#EXTINF:4.000,\n{:05d}.ts?sig={:032x}\n"
    times = [(n * SEGMENT_S // 3600, n * SEGMENT_S // 60 % 60, n * SEGMENT_S % 60) for n in range(LONG_SEGMENTS)]
    body = "".join(dated.format(*at, n, n) for n, at in enumerate(times))
    playlist = f"{head}{body}#EXT-X-ENDLIST\n".encode()
    runs = []
    for _ in range(7):
        before = cpu_s()
        assert len(parse_media(playlist, "https://a.example/v/index.m3u8").segments) == LONG_SEGMENTS
        runs.append(cpu_s() - before)
    absurd = f"{head}{'#EXTINF:4.000,' + chr(10) + 'a.ts' + chr(10)}".encode() + b"#EXTINF:4.000,\na.ts\n" * (
        TOO_MANY_LINES // 2
    )
    before = cpu_s()
    try:
        parse_media(absurd, "https://a.example/v/index.m3u8")
        refused = False
    except SourceError:
        refused = True
    return [
        Figure(f"CPU-s to parse a playlist of {LONG_SEGMENTS:,} segments", statistics.median(runs), 0.3),
        Figure(f"playlists of {TOO_MANY_LINES:,} lines that were read", int(not refused), 0),
        Figure("  CPU-s to refuse one", cpu_s() - before, 0.3),
    ]


def _faults(folder: Path) -> list[Figure]:
    """Windows and requests when requests for segments fail at random, against the same run without faults."""
    stream = VirtualStream.made(folder / "faults", SHORT_S, large=False)
    with _served(folder, stream) as origin:
        with _at_home(folder) as settings:
            _analyzed(origin.url("/v/master.m3u8"), settings)
        calm = origin.requests.total()
        origin.forget()
        faults = random_faults(FAILING, seed=1)
        origin.inject("/v/*.ts", faults)
        began_s = time.monotonic()
        with _at_home(folder) as settings:
            windows = _analyzed(origin.url("/v/master.m3u8"), settings).analysis.windows
        wall_s = time.monotonic() - began_s
        shaken = origin.requests.total()
    struck = ", ".join(f"{count} x {name}" for name, count in sorted(faults.struck.items()))
    sys.stderr.write(f"faults met in {wall_s:.0f} s: {struck}\n")
    return [
        Figure(f"windows incomplete with {FAILING:.0%} of requests failing", windows["partial"] + windows["failed"], 0),
        Figure("requests / those of a run without faults", shaken / calm, 1.15),
    ]


def _memory(folder: Path, hours: float) -> list[Figure]:
    """Resident memory of an analysis in a process of its own, early and late in a long stream."""
    stream = VirtualStream.made(folder / "memory", hours * 3600, large=False)
    with _served(folder, stream) as origin, tempfile.TemporaryDirectory(dir=folder) as home:
        environment = os.environ | {"ALLOWED_PRIVATE_HOSTS": "127.0.0.1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "bench.one_analysis", origin.url("/v/master.m3u8")]
        began_s = time.monotonic()
        done = subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True, text=True)
        wall_s = time.monotonic() - began_s
    result: dict[str, Any] = json.loads(done.stdout)
    memory = [resident_mib for _, resident_mib, _ in result["memory"]]
    late = min(1200, len(memory))
    grown_mb = (memory[late - 1] - memory[19]) * 2**20 / 1e6
    sys.stderr.write(
        f"{hours:g} hours at {hours * 3600 / wall_s:.0f} x real time; {memory[19]:.1f} MiB after window 20, "
        f"{memory[late - 1]:.1f} after {late}, {memory[-1]:.1f} after the last of {len(memory)}\n"
    )
    return [Figure(f"MB of memory grown from window 20 to {late:,}", grown_mb, 20)]


@contextmanager
def _served(folder: Path, stream: VirtualStream) -> Iterator[Origin]:
    with Origin(folder) as origin:
        origin.mount("/v/", stream)
        yield origin


@contextmanager
def _at_home(folder: Path) -> Iterator[Settings]:
    """Settings of a run with a library of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        home = Path(name)
        yield Settings(
            allowed_private_hosts=("127.0.0.1",),
            output_dir=home / "clips",
            model_dir=home / "models",
            temp_dir=home / "temp",
            log_dir=home / "logs",
            database_path=home / "clips.db",
        )


def _analyzed(url: str, settings: Settings) -> GenerateResult:
    with open_library(settings) as library:
        request = GenerateRequest.checked(url=url, settings=settings, make_clips=False)
        return generate_highlights(request, library=library, settings=settings)


def _spread(count: int, end_s: float) -> list[float]:
    """Instants all over a stream, at all distances from the edges of segments."""
    return [7.3 + n * ((end_s - 10) // count + 0.57) for n in range(count)]


def _overlaps(segment: int, span: Span) -> bool:
    return span.overlap_s(Span(segment * SEGMENT_S, (segment + 1) * SEGMENT_S)) > 0
