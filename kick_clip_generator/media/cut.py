"""Cutting a clip out of a local media file, frame-exactly (re-encoded) or fast (stream copy)."""

from __future__ import annotations

import contextlib
import math
import os
from dataclasses import dataclass
from pathlib import Path

from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import CutMode
from kick_clip_generator.media.ffmpeg import run_ffmpeg
from kick_clip_generator.media.probe import FORMATS
from kick_clip_generator.media.survey import EDGE_S, Survey, survey

# What players open inside MP4 (VP8, Theora, Vorbis and PCM they do not).
COPY_VIDEO = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
COPY_AUDIO = frozenset({"aac", "mp3", "opus", "ac3", "eac3", "alac", "flac"})

# High dynamic range to what every screen shows.
HDR_TO_SDR = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable,zscale=t=bt709:m=bt709:r=tv"


@dataclass(frozen=True, slots=True)
class CutResult:
    """What was cut.

    Attributes:
        mode: how it was cut; "exact" also where a copy was asked for and did not fit.
        start_s: where it starts: as asked; later where the source has no picture yet; a copy starts with a frame.
        duration_s: how long it should be: to the end that was asked for, or to the end of the source.
        has_video, has_audio: what the source had to give in that stretch.
        note: a sentence for the user, may be empty.
    """

    mode: CutMode
    start_s: float
    duration_s: float
    has_video: bool
    has_audio: bool
    note: str = ""


def cut(
    ffmpeg: str,
    source: Path,
    target: Path,
    *,
    start_s: float,
    duration_s: float,
    mode: CutMode = "exact",
    has_video: bool = True,
    has_audio: bool = True,
    stall_s: float = 30.0,
    cancel: CancelToken | None = None,
) -> CutResult:
    """Cut `[start_s, start_s + duration_s)` out of `source`, to where the source ends at most.

    exact: H.264 (CRF 18, 8 bit, even size, rotation applied) and AAC 192 kb/s stereo at 48 kHz; the first frame is the
    one on screen at `start_s`. copy: the packets from the keyframe before, with an edit list so that
    players begin at that frame. Both are MP4 with the index in front; without video M4A.

    Args:
        ffmpeg: the binary, see `ffmpeg_path`.
        source: a local media file.
        target: written whatever its suffix (`.part`); removed when anything goes wrong.
        start_s: relative to the container's start time; what lies before it is left out.
        has_video, has_audio: what to take from the source.
        stall_s, cancel: as in `run_ffmpeg`.

    Raises:
        MediaError: the source can't be read, has nothing in that stretch, ffmpeg failed, or the disk is full.
        Cancelled: when the token is up.
        ValueError: when the times make no stretch.
    """
    if not (math.isfinite(start_s) and math.isfinite(duration_s) and duration_s > 0 and start_s + duration_s > 0):
        raise ValueError(f"expected a finite start and a duration that reach past 0, got {start_s} and {duration_s}")
    found = survey(source, max(0.0, start_s), start_s + duration_s, has_video=has_video, has_audio=has_audio)
    note = _why_not_copied(found) if mode == "copy" else ""
    copied = mode == "copy" and not note
    if copied:
        # An edit list that begins inside a frame is rounded to a frame by some players, for video only: sync would be
        # lost by up to a frame.
        found.start_s = found.shown_s
    try:
        run_ffmpeg(
            ffmpeg,
            [
                *_input(source, found),
                *(_copied(found) if copied else _encoded(found)),
                # Titles, chapters and subtitles are a stranger's words; a clip starts without them.
                *("-map_metadata", "-1", "-map_metadata:s:v", "-1", "-map_metadata:s:a", "-1", "-map_chapters", "-1"),
                *("-max_muxing_queue_size", "4096", "-movflags", "+faststart", "-use_editlist", "1"),
                *("-f", "mp4" if found.video_codec else "ipod", "-y", f"file:{os.path.abspath(target)}"),
            ],
            stall_s=stall_s,
            cancel=cancel,
        )
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
        raise
    return CutResult(
        mode="copy" if copied else "exact",
        start_s=round(found.start_s - found.origin_s, 6),
        duration_s=round(found.end_s - found.start_s, 6),
        has_video=bool(found.video_codec),
        has_audio=bool(found.audio_codec),
        note=note,
    )


def _input(source: Path, found: Survey) -> list[str]:
    # With seek_timestamp, times are the container's own and ffmpeg's idea of its start does not matter. Not
    # accurate_seek: it would drop, by rounding, the very frame that was sought; trimming is ours.
    seek = [] if math.isnan(found.seek_s) else ["-ss", f"{found.seek_s:.6f}", "-noaccurate_seek"]
    whitelists = ["-protocol_whitelist", "file", "-format_whitelist", FORMATS]
    # Without a limit ffmpeg takes an MPEG-TS that begins beyond 10 s for a jump, and moves it to 0.
    whole_clock = ["-dts_delta_threshold", "1e9", "-seek_timestamp", "1"]
    return [*whitelists, *whole_clock, *seek, "-i", f"file:{os.path.abspath(source)}"]


def _zero_s(found: Survey) -> float:
    """What ffmpeg's clock reads 0 at: where it seeks to."""
    return 0.0 if math.isnan(found.seek_s) else found.seek_s


def _why_not_copied(found: Survey) -> str:
    """A sentence when the packets don't fit the target as they are, else nothing."""
    if found.video_codec:
        unfit = {found.video_codec} - COPY_VIDEO or {found.audio_codec} - COPY_AUDIO - {""}
    else:
        unfit = {found.audio_codec} - {"aac"}
    return f"The source's {unfit.pop()} can't be copied into MP4, so the clip was re-encoded." if unfit else ""


def _copied(found: Survey) -> list[str]:
    """Stream copy: what lies before the start keeps negative times, which the MP4 writer turns into an edit list."""
    zero_s = _zero_s(found)
    args = ["-c", "copy", "-t", f"{found.end_s - zero_s:.6f}"]
    args += ["-output_ts_offset", f"{zero_s - found.start_s:.6f}", "-avoid_negative_ts", "disabled"]
    if found.video_codec:
        args += ["-map", f"0:{found.video}"]
    if found.video_codec == "hevc":
        args += ["-tag:v", "hvc1"]  # Apple's players refuse the default, hev1.
    if found.audio_codec:
        args += ["-map", f"0:{found.audio}"]
    return args


def _encoded(found: Survey) -> list[str]:
    """Decode, trim on exact times, encode; both media start at 0."""
    zero_s = _zero_s(found)
    start_s, end_s = found.start_s - zero_s, found.end_s - zero_s
    args: list[str] = []
    if found.video_codec:
        picture = [
            "settb=1/90000",
            f"trim=start={found.shown_s - zero_s - EDGE_S / 2:.6f}:end={end_s - EDGE_S:.6f}",
            # The frame that is on screen at the start may have appeared before.
            f"setpts='if(eq(N,0),0,round(PTS-{start_s:.6f}/TB))'",
            # 4:2:0 needs even sizes; losing a row beats resampling the whole picture.
            "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0",
            *((HDR_TO_SDR,) if found.hdr else ()),
            "format=yuv420p",
        ]
        args += ["-map", f"0:{found.video}", "-vf", ",".join(picture), "-fps_mode", "vfr", "-enc_time_base", "1:90000"]
        args += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-video_track_timescale", "90000"]
        # A keyframe every 2 s, so that players and the clip editor can jump.
        args += ["-force_key_frames", "expr:gte(t,n_forced*2)"]
    if found.audio_codec:
        sound = [
            f"atrim=start={start_s:.6f}:end={end_s:.6f}",
            f"asetpts=PTS-{start_s:.6f}/TB",
            # Silence where audio is missing, at the start too, so that what follows stays in sync.
            "aresample=48000:async=1:first_pts=0",
        ]
        args += ["-map", f"0:{found.audio}", "-af", ",".join(sound)]
        args += ["-c:a", "aac", "-b:a", "192k", "-ac", str(found.channels)]
    return args
