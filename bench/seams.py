"""Random cuts of H.264: errors at the start and the end in frames, the picture around the seam, how many fell back."""

from __future__ import annotations

import argparse
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from bench.browser import CHROMIUM, Player, player
from bench.machine import Figure, describe, print_figures, write_json
from bench.streams import MADE_SOUND
from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.records import CutMode
from kick_clip_generator.media.cut import check_cut, cut
from kick_clip_generator.media.ffmpeg import ffmpeg_path

RATE_HZ = 30
SIZE = "320x180"
LENGTH_S = 20
AROUND_S = 1.0
LEAST_DB = 35.0

# Every picture differs from the ones beside it. The colors are pale, so that none is clipped on its way through RGB,
# and named: those of screens, which a browser does not convert.
COLORS = "setparams=color_primaries=bt709:color_trc=iec61966-2-1:colorspace=bt709:range=tv"
PICTURE = (
    f"testsrc2=size={SIZE}:rate={RATE_HZ},noise=alls=4:allf=t,hue=s=0.3,lutyuv=y=val*0.8+24,format=yuv420p,{COLORS}"
)
ENCODER = ["-c:v", "libx264", "-preset", "fast", "-crf", "20", "-g", "60", "-bf", "3"]
FRAGMENTS = ["-movflags", "+frag_keyframe+delay_moov+default_base_moof"]
SOURCES = {
    "closed.ts": [],
    "closed.mp4": FRAGMENTS,
    "open.ts": ["-x264-params", "open-gop=1"],
    "open.mp4": ["-x264-params", "open-gop=1", *FRAGMENTS],
}

Frames = list[tuple[float, NDArray[np.uint8]]]


@dataclass(frozen=True, slots=True)
class Cut:
    """What one cut gave; errors in frames, NaN for what was not looked at.

    Attributes:
        way: how it was cut in the end.
        lowest_db: the least PSNR to the source of all frames within `AROUND_S` of the seam (of the start where there
            is none), decoded by libavcodec.
        browser_db: the same of what Chromium shows.
        browser_missing: frames of those that Chromium did not present.
        failed: what the check said.
    """

    source: str
    mode: CutMode
    way: CutMode
    start_s: float
    start_error: float = math.nan
    end_error: float = math.nan
    lowest_db: float = math.nan
    browser_db: float = math.nan
    browser_start_error: float = math.nan
    browser_end_error: float = math.nan
    browser_missing: float = math.nan
    failed: str = ""


def main(argv: list[str]) -> int:
    """Cut, compare and print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench seams", description=__doc__)
    parser.add_argument("--cuts", type=int, default=50, help="how many random cuts, each smart and exact (default 50)")
    parser.add_argument("--seconds", type=float, default=4, help="length of the longest clip (default 4)")
    parser.add_argument("--no-browser", action="store_true", help="do not play them in Chromium")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(argv)
    ffmpeg = ffmpeg_path()
    browser = not options.no_browser and os.path.exists(CHROMIUM)
    with tempfile.TemporaryDirectory() as name:
        if browser:
            with player() as play:
                cuts = measured(ffmpeg, Path(name), options.cuts, options.seconds, play)
        else:
            cuts = measured(ffmpeg, Path(name), options.cuts, options.seconds, None)
    figures = summary(cuts)
    sys.stdout.write(f"{describe(ffmpeg)}\n{options.cuts} random cuts of {', '.join(SOURCES)}\n\n")
    print_figures(sys.stdout, figures)
    for one in cuts:
        if one.failed:
            sys.stdout.write(f"{one.source} at {one.start_s:.3f} s, {one.mode}: {one.failed}\n")
    write_json(options.json, {"figures": [figure.to_dict() for figure in figures], "cuts": [asdict(c) for c in cuts]})
    return 0 if all(figure.met for figure in figures) else 1


def made(ffmpeg: str, folder: Path, name: str, length_s: float = LENGTH_S) -> Path:
    """One of `SOURCES`."""
    target = folder / name
    inputs = ["-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", MADE_SOUND, "-t", str(length_s)]
    command = [ffmpeg, "-v", "error", "-nostdin", "-y", *inputs, *ENCODER, *SOURCES[name], "-c:a", "aac", "-b:a", "96k"]
    subprocess.run([*command, str(target)], check=True)
    return target


def measured(
    ffmpeg: str, folder: Path, cuts: int, longest_s: float, play: Player | None, length_s: float = LENGTH_S
) -> list[Cut]:
    """Random cuts (the same ones every time) of all sources in turns, each once smart and once exact.

    Args:
        ffmpeg: the binary.
        folder: for sources and clips.
        cuts: how many.
        longest_s: of a clip.
        play: plays the smart ones; None: they are not played.
        length_s: of the sources.
    """
    chance = random.Random(6)
    sources = {name: made(ffmpeg, folder, name, length_s) for name in list(SOURCES)[:cuts]}
    theirs = {name: decoded(path) for name, path in sources.items()}
    found = []
    for number in range(cuts):
        name = list(sources)[number % len(sources)]
        start_s, duration_s = chance.uniform(0, length_s - longest_s), chance.uniform(longest_s * 0.6, longest_s)
        for mode in ("smart", "exact"):
            target = folder / "clip.mp4"
            found.append(_one(ffmpeg, sources[name], theirs[name], target, start_s, duration_s, mode, play))
    return found


def _one(
    ffmpeg: str,
    source: Path,
    theirs: Frames,
    target: Path,
    start_s: float,
    duration_s: float,
    mode: CutMode,
    play: Player | None,
) -> Cut:
    done = cut(ffmpeg, source, target, start_s=start_s, duration_s=duration_s, mode=mode)
    failed = ""
    try:
        check_cut(target, done, source)
    except MediaError as error:
        failed = str(error)
    # By the rule: what is on screen at the start, up to what appears before the end.
    times = np.array([time_s for time_s, _ in theirs])
    origin_s = _origin_s(source)
    first = int(np.searchsorted(times, origin_s + done.start_s + 0.001)) - 1
    last = int(np.searchsorted(times, origin_s + done.start_s + done.duration_s - 0.001)) - 1
    wanted = [(max(0.0, time_s - origin_s - done.start_s), luma) for time_s, luma in theirs[first : last + 1]]
    around_s = 0.0 if math.isnan(done.seam_s) else done.seam_s
    ours = decoded(target)
    facts = {
        "start_error": abs(_number(ours[0][1], theirs, first) - first),
        "end_error": abs(_number(ours[-1][1], theirs, last) - last),
        "lowest_db": lowest_db(ours, wanted, around_s),
    }
    if play is not None and mode == "smart":
        # A browser converts to RGB of full range and we back, so the source's luma goes the same way.
        shown = play(target)
        full = [(time_s, _full(luma)) for time_s, luma in wanted]
        everything = [(time_s, _full(luma)) for time_s, luma in theirs]
        begun = first + int(np.argmin([abs(time_s - shown[0][0]) for time_s, _ in full]))
        near = [time_s for time_s, _ in full if abs(time_s - around_s) <= AROUND_S]
        facts |= {
            # A busy browser may begin to present a frame late; what it shows has to be what belongs there.
            "browser_start_error": abs(_number(shown[0][1], everything, begun) - begun),
            "browser_end_error": abs(_number(shown[-1][1], everything, last) - last),
            "browser_db": lowest_db(shown, full, around_s),
            "browser_missing": sum(all(abs(time_s - there) > 0.002 for there, _ in shown) for time_s in near),
        }
    return Cut(source.name, mode, done.mode, start_s, failed=failed, **facts)


def summary(cuts: Sequence[Cut]) -> list[Figure]:
    """The worst of each kind, and the shares that were encoded whole."""
    figures = []
    for mode in ("smart", "exact"):
        of = [one for one in cuts if one.mode == mode]
        figures += [
            Figure(f"{mode}: error at the start, at most", max(one.start_error for one in of), 0, "frames"),
            Figure(f"{mode}: error at the end, at most", max(one.end_error for one in of), 1, "frames"),
            Figure(f"{mode}: cuts that fail the check", sum(bool(one.failed) for one in of), 0),
        ]
    smart = [one for one in cuts if one.mode == "smart"]
    # Figures are "at most", so what should be high is told by how much is too low.
    figures.append(_low("smart: cuts below 35 dB near the seam (libavcodec)", [one.lowest_db for one in smart]))
    figures.append(
        Figure("smart: lowest PSNR near the seam (libavcodec)", min(one.lowest_db for one in smart), unit="dB")
    )
    played = [one for one in smart if not math.isnan(one.browser_db)]
    if played:
        figures += [
            _low("smart: cuts below 35 dB near the seam (Chromium)", [one.browser_db for one in played]),
            Figure("smart: lowest PSNR near the seam (Chromium)", min(one.browser_db for one in played), unit="dB"),
            Figure("Chromium: error at the start, at most", max(c.browser_start_error for c in played), 0, "frames"),
            Figure("Chromium: error at the end, at most", max(c.browser_end_error for c in played), 1, "frames"),
            Figure("Chromium: frames near the seam not presented, at most", max(c.browser_missing for c in played)),
        ]
    for kind, most in (("closed", 0.1), ("open", math.inf)):
        ways = [one.way for one in smart if one.source.startswith(kind)]
        share = sum(way == "exact" for way in ways) / len(ways) if ways else 0.0
        figures.append(Figure(f"smart: encoded whole, {kind} GOP", 100 * share, 100 * most, "%"))
    return figures


def _low(name: str, values_db: Sequence[float]) -> Figure:
    return Figure(name, sum(not value >= LEAST_DB for value in values_db), 0)


def decoded(path: Path) -> Frames:
    """When each picture is shown, on the clock of the file, and its luma."""
    with av.open(str(path)) as container:
        return [
            (float(frame.time or 0), frame.to_ndarray()[: frame.height, : frame.width])
            for frame in container.decode(video=0)
        ]


def lowest_db(ours: Frames, wanted: Frames, around_s: float) -> float:
    """The least PSNR of our frames within `AROUND_S` of an instant to the wanted ones of their times."""
    times = np.array([time_s for time_s, _ in wanted])
    found = [
        psnr_db(luma, wanted[int(np.argmin(np.abs(times - time_s)))][1])
        for time_s, luma in ours
        if abs(time_s - around_s) <= AROUND_S
    ]
    return min(found, default=math.nan)


def psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two pictures in 8 bits; 99 where they are equal."""
    error = float(np.mean((one.astype(np.float32) - other) ** 2))
    return 99.0 if error == 0 else min(99.0, 10 * math.log10(255**2 / error))


def _number(luma: NDArray[np.uint8], theirs: Frames, guess: int) -> int:
    """Which picture of the source this is, from those near a guess."""
    near = range(max(0, guess - 6), min(len(theirs), guess + 7))
    return max(near, key=lambda index: psnr_db(luma, theirs[index][1]))


def _full(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    full: NDArray[np.uint8] = np.clip(np.rint((luma.astype(np.float32) - 16) * 255 / 219), 0, 255).astype(np.uint8)
    return full


def _origin_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return min(float(s.start_time * s.time_base) for s in container.streams if s.start_time is not None)
