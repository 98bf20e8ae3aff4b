"""ffmpeg's work on the parts of a compound: exactly so many pictures, exactly so many samples."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.ffmpeg import run_ffmpeg
from kick_clip_generator.media.parts import Frame, Measured
from kick_clip_generator.media.probe import FORMATS
from kick_clip_generator.media.survey import EDGE_S

RATE_HZ = 48_000
CHANNELS = 2

# ffmpeg reads from a little before a stretch on; it would drop, by rounding, the very frame that was sought.
LEAD_S = 1.0


@dataclass(frozen=True, slots=True)
class Tool:
    """How ffmpeg is run, see `run_ffmpeg`."""

    ffmpeg: str
    stall_s: float
    cancel: CancelToken | None

    def run(self, inputs: Sequence[str], filters: str, output: Sequence[str], target: Path) -> None:
        """
        Raises:
            MediaError, Cancelled: as `run_ffmpeg`.
        """
        args = [*inputs, "-filter_complex", filters, "-map", "[out]", *output, "-y", f"file:{os.path.abspath(target)}"]
        run_ffmpeg(self.ffmpeg, args, stall_s=self.stall_s, cancel=self.cancel)


def local_file(path: Path, container: str = "", *options: str) -> list[str]:
    """The arguments of an input: a file of this machine; a container is given only for what we wrote ourselves."""
    formats = ["-f", container] if container else ["-format_whitelist", FORMATS]
    return ["-protocol_whitelist", "file", *formats, *options, "-i", f"file:{os.path.abspath(path)}"]


def encode_pictures(tool: Tool, part: Measured, frame: Frame, first: int, end: int, target: Path) -> None:
    """Encode the pictures `first` to `end` of a part, counted in the common frame rate, from time 0 on."""
    inputs, chain = _pictures(0, part, frame, first, end)
    tool.run(inputs, f"{chain}[out]", _encoder(), target)


def encode_fade(
    tool: Tool, before: tuple[Measured, int], after: tuple[Measured, int], frame: Frame, count: int, target: Path
) -> None:
    """Encode `count` pictures in which one part fades into another, each from its own picture on."""
    inputs: list[str] = []
    chains: list[str] = []
    for name, (part, first) in (("a", before), ("b", after)):
        # A part without a picture has no input, so the next one may be the first.
        read, chain = _pictures(1 if inputs else 0, part, frame, first, first + count)
        inputs += read
        chains.append(f"{chain}[{name}]")
    fade = f"[a][b]xfade=transition=fade:offset=0:duration={float(count / frame.fps):.6f}"
    tool.run(inputs, f"{';'.join(chains)};{fade},format=yuv420p,trim=end_frame={count}[out]", _encoder(), target)


def decode_sound(tool: Tool, part: Measured, samples: int, scratch: Path) -> NDArray[np.int16]:
    """The first so many samples of a part's sound; silence where it has none.

    Returns:
        shape `(samples, 2)`, at 48 kHz.
    """
    sound = np.zeros((samples, CHANNELS), np.int16)
    if part.audio < 0:
        return sound
    start_s = _start_s(part)
    filters = (
        f"[0:{part.audio}]atrim=start={start_s:.6f}:end={start_s + part.duration_s:.6f},"
        f"asetpts=PTS-{start_s:.6f}/TB,aresample={RATE_HZ}:async=1:first_pts=0,"
        f"aformat=sample_fmts=s16:channel_layouts=stereo,atrim=end_sample={samples}[out]"
    )
    tool.run(_input(part, start_s), filters, ("-f", "s16le"), scratch)
    found = np.fromfile(scratch, "<i2").reshape(-1, CHANNELS)[:samples]
    sound[: len(found)] = found
    return sound


def _pictures(k: int, part: Measured, frame: Frame, first: int, end: int) -> tuple[list[str], str]:
    """The input and the filters that give the pictures `first` to `end`, from time 0 on, in the common frame."""
    width, height = frame.width_px, frame.height_px
    if part.video < 0:
        return (
            [],
            f"color=c=black:s={width}x{height}:r={frame.fps},format=yuv420p,setsar=1,trim=end_frame={end - first}",
        )
    # From a second before: the picture that is on screen at the start may have appeared earlier.
    skipped = min(first, math.ceil(frame.fps))
    start_s = _start_s(part) + float((first - skipped) / frame.fps)
    end_s = _start_s(part) + part.duration_s
    return _input(part, start_s), (
        f"[{k}:{part.video}]settb=1/90000,trim=start={start_s - EDGE_S / 2:.6f}:end={end_s - EDGE_S / 2:.6f},"
        f"setpts=PTS-{start_s:.6f}/TB,"
        f"scale=w='round(min({width},{height}*dar)/2)*2':h='round(min({height},{width}/dar)/2)*2',"
        f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p,"
        # A picture that is late or missing at the end is made up for by its neighbor, so that sound stays in step.
        f"fps={frame.fps}:start_time=0,tpad=stop=-1:stop_mode=clone,"
        f"trim=start_frame={skipped}:end_frame={skipped + end - first},setpts=PTS-STARTPTS"
    )


def _start_s(part: Measured) -> float:
    return part.origin_s + max(0.0, part.part.start_s)


def _input(part: Measured, start_s: float) -> list[str]:
    """As a cut's input: times are the container's own."""
    seek_s = start_s - LEAD_S
    seek = ["-ss", f"{seek_s:.6f}", "-noaccurate_seek"] if seek_s > max(part.origin_s, 0.0) else []
    clock = ["-dts_delta_threshold", "1e9", "-seek_timestamp", "1", "-copyts"]
    return [*clock, *seek, *local_file(part.part.path)]


def _encoder() -> list[str]:
    """As a cut's: all pieces get the same parameters, so that they can be put together as they are."""
    video = ["-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-video_track_timescale", "90000"]
    video += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-force_key_frames", "expr:gte(t,n_forced*2)"]
    return [*video, "-map_metadata", "-1", "-map_chapters", "-1", "-f", "mp4"]
