"""Cutting a clip out of a local media file: frame-exactly (re-encoded), likewise but only up to the first keyframe
(smart), or fast (stream copy)."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import CutMode
from kick_clip_generator.media.boxes import trim_tracks
from kick_clip_generator.media.check import check_clip
from kick_clip_generator.media.ffmpeg import run_ffmpeg
from kick_clip_generator.media.probe import FORMATS
from kick_clip_generator.media.seam import CannotJoin, Seam, find_seam
from kick_clip_generator.media.smart import encoder_options, write_joined
from kick_clip_generator.media.survey import EDGE_S, Survey, survey

# What players open inside MP4 (VP8, Theora, Vorbis and PCM they do not).
COPY_VIDEO = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
COPY_AUDIO = frozenset({"aac", "mp3", "opus", "ac3", "eac3", "alac", "flac"})

# High dynamic range to what every screen shows.
HDR_TO_SDR = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable,zscale=t=bt709:m=bt709:r=tv"

# Titles, chapters and subtitles are a stranger's words; a clip starts without them.
WORDLESS = ("-map_metadata", "-1", "-map_metadata:s:v", "-1", "-map_metadata:s:a", "-1", "-map_chapters", "-1")
MP4 = ("-max_muxing_queue_size", "4096", "-movflags", "+faststart", "-use_editlist", "1", "-movie_timescale", "90000")


@dataclass(frozen=True, slots=True)
class CutResult:
    """What was cut.

    Attributes:
        mode: how it was cut; "exact" also where another way was asked for and did not fit.
        start_s: where it starts: as asked; later where the source has no picture yet; a copy starts with a frame.
        duration_s: how long it should be: to the end that was asked for, or to the end of the source.
        has_video, has_audio: what the source had to give in that stretch.
        note: a sentence for the user, may be empty.
        seam_s: where copied pictures follow on new ones, in the clip; NaN where that is nowhere.
        video_s, audio_s: where in the clip each medium ends; NaN where the source has none.
    """

    mode: CutMode
    start_s: float
    duration_s: float
    has_video: bool
    has_audio: bool
    note: str = ""
    seam_s: float = math.nan
    video_s: float = math.nan
    audio_s: float = math.nan


def check_cut(path: Path, done: CutResult, source: Path) -> None:
    """Check what a cut gave against what it was to be, see `check_clip`.

    Args:
        path: the clip.
        done: what `cut` says of it.
        source: what it was cut from.

    Raises:
        MediaError: names what is wrong.
    """
    check_clip(
        path,
        duration_s=done.duration_s,
        has_video=done.has_video,
        has_audio=done.has_audio,
        video_s=done.video_s,
        audio_s=done.audio_s,
        seam_s=done.seam_s,
        source=source,
        start_s=done.start_s,
    )


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
    one on screen at `start_s`. smart: the same, but only the pictures before the first keyframe that can be decoded by
    itself are encoded, the others are copied, and AAC is, too; where that can't be, all is encoded. copy: the packets
    from the keyframe before, with an edit list so that players begin at that frame. All are MP4 with the index in
    front; without video M4A.

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
    note, seam = "", None
    if mode == "copy":
        note = _why_not_copied(found)
    elif mode == "smart" and found.video_codec:
        try:
            seam = find_seam(source, found)
        except CannotJoin as why:
            note = f"The clip was re-encoded whole, because {why}."
    copied = mode == "copy" and not note
    if copied:
        # An edit list that begins inside a frame is rounded to a frame by some players, for video only: sync would be
        # lost by up to a frame.
        found.start_s = found.shown_s
    try:
        if seam is not None:
            _join(ffmpeg, source, found, seam, target, stall_s, cancel)
        else:
            output = ["-f", "mp4" if found.video_codec else "ipod", "-y", f"file:{os.path.abspath(target)}"]
            made = _copied(found) if copied else _encoded(found)
            run_ffmpeg(
                ffmpeg, [*_input(source, found), *made, *WORDLESS, *MP4, *output], stall_s=stall_s, cancel=cancel
            )
            if copied:
                # Packets that others refer to lie beyond the end.
                media = (found.video_codec, found.audio_codec)
                trim_tracks(target, [found.end_s - found.start_s for codec in media if codec])
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
        raise
    return CutResult(
        mode="copy" if copied else "smart" if seam is not None else "exact",
        start_s=round(found.start_s - found.origin_s, 6),
        duration_s=round(found.end_s - found.start_s, 6),
        has_video=bool(found.video_codec),
        has_audio=bool(found.audio_codec),
        note=note,
        seam_s=seam.seam * seam.tick_s - found.start_s if seam is not None and seam.encoded else math.nan,
        video_s=round(found.video_end_s - found.start_s, 6),
        audio_s=round(found.audio_end_s - found.start_s, 6),
    )


def _join(
    ffmpeg: str,
    source: Path,
    found: Survey,
    seam: Seam,
    target: Path,
    stall_s: float,
    cancel: CancelToken | None,
) -> None:
    """The smart cut: encode what can't be copied, then write both."""
    args = [*(_picture(found, seam) if seam.encoded else ()), *(_sound(found) if not seam.sound else ())]
    if not args:
        write_joined(source, found, seam, None, target, cancel)
        return
    with tempfile.TemporaryDirectory(prefix="clip-") as folder:
        new = Path(folder, "new.mp4")
        run_ffmpeg(
            ffmpeg,
            [*_input(source, found), *args, *WORDLESS, *MP4, "-y", f"file:{new}"],
            stall_s=stall_s,
            cancel=cancel,
        )
        write_joined(source, found, seam, new, target, cancel)


def _input(source: Path, found: Survey) -> list[str]:
    # With seek_timestamp and copyts, times are the container's own and ffmpeg's idea of its start does not matter. Not
    # accurate_seek: it would drop, by rounding, the very frame that was sought; trimming is ours.
    seek = [] if math.isnan(found.seek_s) else ["-ss", f"{found.seek_s:.6f}", "-noaccurate_seek"]
    whitelists = ["-protocol_whitelist", "file", "-format_whitelist", FORMATS]
    # Without a limit ffmpeg takes an MPEG-TS that begins beyond 10 s for a jump, and moves it to 0. And without copyts
    # it moves the zero of its clock when a stream that is not wanted starts before the others.
    whole_clock = ["-dts_delta_threshold", "1e9", "-seek_timestamp", "1", "-copyts"]
    return [*whitelists, *whole_clock, *seek, "-i", f"file:{os.path.abspath(source)}"]


def _why_not_copied(found: Survey) -> str:
    """A sentence when the packets don't fit the target as they are, else nothing."""
    if found.video_codec:
        unfit = {found.video_codec} - COPY_VIDEO or {found.audio_codec} - COPY_AUDIO - {""}
    else:
        unfit = {found.audio_codec} - {"aac"}
    return f"The source's {unfit.pop()} can't be copied into MP4, so the clip was re-encoded." if unfit else ""


def _copied(found: Survey) -> list[str]:
    """Stream copy: what lies before the start keeps negative times, which the MP4 writer turns into an edit list."""
    args = ["-c", "copy", "-t", f"{found.end_s:.6f}"]
    args += ["-output_ts_offset", f"{-found.start_s:.6f}", "-avoid_negative_ts", "disabled"]
    if found.video_codec:
        args += ["-map", f"0:{found.video}"]
    if found.video_codec == "hevc":
        args += ["-tag:v", "hvc1"]  # Apple's players refuse the default, hev1.
    if found.audio_codec:
        args += ["-map", f"0:{found.audio}"]
    return args


def _encoded(found: Survey) -> list[str]:
    """Decode, trim on exact times, encode; both media start at 0."""
    return [*_picture(found), *_sound(found)]


def _picture(found: Survey, seam: Seam | None = None) -> list[str]:
    """The pictures from the start to the end, or only to the seam."""
    if not found.video_codec:
        return []
    end_s = found.end_s if seam is None else seam.seam * seam.tick_s
    filters = [
        "settb=1/90000",
        f"trim=start={found.shown_s - EDGE_S / 2:.6f}:end={end_s - EDGE_S:.6f}",
        # The frame that is on screen at the start may have appeared before.
        f"setpts='if(eq(N,0),0,round(PTS-{found.start_s:.6f}/TB))'",
    ]
    if seam is None:
        # 4:2:0 needs even sizes; losing a row beats resampling the whole picture.
        filters.append("crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0")
        filters += [HDR_TO_SDR] if found.hdr else []
        filters.append("format=yuv420p")
    args = ["-map", f"0:{found.video}", "-vf", ",".join(filters), "-fps_mode", "vfr", "-enc_time_base", "1:90000"]
    args += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-video_track_timescale", "90000"]
    # A keyframe every 2 s, so that players and the clip editor can jump.
    return [*args, "-force_key_frames", "expr:gte(t,n_forced*2)", *(encoder_options(seam) if seam is not None else ())]


def _sound(found: Survey) -> list[str]:
    """The sound from the start to the end."""
    if not found.audio_codec:
        return []
    filters = [
        f"atrim=start={found.start_s:.6f}:end={found.end_s:.6f}",
        f"asetpts=PTS-{found.start_s:.6f}/TB",
        # Silence where audio is missing, at the start too, so that what follows stays in sync.
        "aresample=48000:async=1:first_pts=0",
    ]
    args = ["-map", f"0:{found.audio}", "-af", ",".join(filters)]
    return [*args, "-c:a", "aac", "-b:a", "192k", "-ac", str(found.channels)]
