"""Several stretches of media files one after the other in one file, with a chapter for each.

The work goes part by part: one filter graph over all of them reads every file at once, and with ten parts of 1080p60 it
gave no picture for half a minute.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kick_clip_generator.core.errors import InputError, MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.media.check import check_clip
from kick_clip_generator.media.ffmpeg import run_ffmpeg
from kick_clip_generator.media.part_filters import RATE_HZ, Tool, decode_sound, encode_fade, encode_pictures, local_file
from kick_clip_generator.media.part_sound import join_sound
from kick_clip_generator.media.parts import Measured, Part, common_frame, measure
from kick_clip_generator.media.picture_copy import Pictures, check_pictures, copyable, write_pictures

log = logging.getLogger(__name__)

MOST_PARTS = 50
LONGEST_TITLE = 200

MP4 = ("-max_muxing_queue_size", "4096", "-movflags", "+faststart", "-use_editlist", "1", "-movie_timescale", "90000")


@dataclass(frozen=True, slots=True)
class Compound:
    """What was made.

    Attributes:
        mode: "copy" where the pictures were copied, "exact" where they were encoded.
        starts_s: where each part, and so its chapter, begins.
        note: a sentence for the user, may be empty.
    """

    mode: Literal["copy", "exact"]
    duration_s: float
    starts_s: tuple[float, ...]
    has_video: bool
    has_audio: bool
    note: str = ""


def make_compound(
    ffmpeg: str,
    parts: Sequence[Part],
    target: Path,
    *,
    temp: Path,
    crossfade_s: float = 0.0,
    stall_s: float = 30.0,
    cancel: CancelToken | None = None,
    on_part: Callable[[int], None] | None = None,
) -> Compound:
    """Write the parts into one MP4 (M4A where none has a picture), in their order, and check it.

    Pictures are copied where all parts are whole files whose parameters agree and nothing is cross-faded; else they are
    brought to the largest frame among them (padded, not stretched), the highest frame rate and 4:2:0, as a cut's. Sound
    is always made anew, in stereo at 48 kHz: AAC comes in pieces of 21 ms, which fit no picture, so copied pieces would
    click and drift. A part without sound is silent, one without a picture black.

    Args:
        ffmpeg: the binary, see `ffmpeg_path`.
        target: written whatever its suffix (`.part`); removed when anything goes wrong.
        temp: a folder for what is made on the way, up to three times the size of the target; left to the caller.
        crossfade_s: how long each part fades into the next; less than half of the shortest.
        stall_s, cancel: as in `run_ffmpeg`.
        on_part: called with the number of each part, from 0 on, when its pictures are to be encoded.

    Raises:
        InputError: no parts, too many, or a cross-fade that is too long.
        MediaError: a part can't be read, ffmpeg failed, or the disk is full.
        Cancelled: when the token is up.
    """
    if not 1 <= len(parts) <= MOST_PARTS:
        raise InputError(f"One file can be made of 1 to {MOST_PARTS} parts, not of {len(parts)}; choose fewer clips.")
    measured = [measure(part) for part in parts]
    fade_s = crossfade_s if len(parts) > 1 else 0.0
    shortest_s = min(part.duration_s for part in measured)
    if fade_s and not 0 < fade_s < shortest_s / 2:
        raise InputError(
            f"A cross-fade of {fade_s:g} s is too long, for the shortest part lasts {shortest_s:.1f} s; "
            f"give less than {shortest_s / 2:.1f}."
        )
    tool = Tool(ffmpeg, stall_s, cancel)
    note = ""
    try:
        pictures = None if fade_s else copyable(measured)
        if pictures is not None:
            try:
                return _copied(tool, measured, pictures, target, temp)
            except MediaError as error:
                log.info("Copied pictures did not pass the check: %s", error)
                note = f"The parts could not be joined as they are ({str(error).rstrip('.')}), so they were re-encoded."
        return _encoded(tool, measured, target, temp, fade_s, note, on_part)
    except BaseException as error:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            why = error.strerror or str(error)
            raise MediaError(f"The parts can't be joined in {temp} ({why}); free some space there.") from error
        raise


def _copied(tool: Tool, parts: Sequence[Measured], pictures: Sequence[Pictures], target: Path, temp: Path) -> Compound:
    lengths_s = [part.duration_s for part in pictures]
    starts_s = [0.0, *itertools.accumulate(lengths_s)]
    spans = [(round(begin_s * RATE_HZ), round(end_s * RATE_HZ)) for begin_s, end_s in itertools.pairwise(starts_s)]
    sound = any(part.audio >= 0 for part in parts)
    made = Compound("copy", starts_s[-1], tuple(starts_s[:-1]), True, sound)
    _finish(tool, made, parts, pictures, made.starts_s, spans, target, temp)
    return made


def _encoded(
    tool: Tool,
    parts: Sequence[Measured],
    target: Path,
    temp: Path,
    crossfade_s: float,
    note: str,
    on_part: Callable[[int], None] | None,
) -> Compound:
    frame = common_frame(parts)
    # In whole pictures, so that sound and picture of every part are of one length.
    counts = [max(1, round(part.duration_s * frame.fps)) for part in parts]
    # Rounded up, two fades could leave nothing of the shortest part.
    fade = min(round(crossfade_s * frame.fps), (min(counts) - 1) // 2)
    starts = [0, *itertools.accumulate(count - fade for count in counts[:-1])]
    last = len(parts) - 1
    pieces: list[tuple[int, int, Path]] = []
    for k, (part, count, start) in enumerate(zip(parts, counts, starts, strict=True) if frame.width_px else ()):
        if on_part is not None:
            on_part(k)
        first, end = (fade if k else 0), (count - fade if k < last else count)
        body = temp / f"body{k}.mp4"
        encode_pictures(tool, part, frame, first, end, body)
        pieces.append((start + first, end - first, body))
        if fade and k < last:
            seam = temp / f"seam{k}.mp4"
            encode_fade(tool, (part, end), (parts[k + 1], 0), frame, fade, seam)
            pieces.append((start + end, fade, seam))
    pictures = copyable([measure(Part(path)) for _, _, path in pieces])
    if pictures is None or any(len(a.shown_s) != count for a, (_, count, _) in zip(pictures, pieces, strict=True)):
        raise MediaError("The parts were encoded differently, so they can't be joined; try another ffmpeg.")

    def at(place: int) -> int:
        return round(place / frame.fps * RATE_HZ)

    spans = [(at(start), at(start + count)) for start, count in zip(starts, counts, strict=True)]
    made = Compound(
        "exact",
        float((starts[-1] + counts[-1]) / frame.fps),
        tuple(float(start / frame.fps) for start in starts),
        frame.width_px > 0,
        any(part.audio >= 0 for part in parts),
        note,
    )
    _finish(tool, made, parts, pictures, [float(start / frame.fps) for start, _, _ in pieces], spans, target, temp)
    return made


def _finish(
    tool: Tool,
    made: Compound,
    parts: Sequence[Measured],
    pictures: Sequence[Pictures],
    shown_from_s: Sequence[float],
    heard: Sequence[tuple[int, int]],
    target: Path,
    temp: Path,
) -> None:
    """Put pictures, sound and chapters into one file, and check it.

    Args:
        pictures, shown_from_s: the pieces of the picture and when each begins.
        heard: from which sample to which each part is heard.
    """
    shown, sound, words = temp / "pictures.mp4", temp / "sound.s16le", temp / "chapters.txt"
    inputs: list[str] = []
    outputs: list[str] = []
    if made.has_video:
        write_pictures(pictures, shown_from_s, shown, tool.cancel)
        inputs += local_file(shown)
        outputs += ["-map", "0:v", "-c:v", "copy"]
        outputs += ["-tag:v", "hvc1"] if pictures[0].codec == "hevc" else []
    if made.has_audio:
        with sound.open("wb") as file:
            decoded = (
                decode_sound(tool, part, end - begin, temp / "part.s16le")
                for part, (begin, end) in zip(parts, heard, strict=True)
            )
            join_sound(decoded, heard, file)
        inputs += local_file(sound, "s16le", "-ar", str(RATE_HZ), "-ac", "2")
        outputs += ["-map", f"{int(made.has_video)}:a", "-c:a", "aac", "-b:a", "192k"]
    words.write_text(_chapters(parts, made.starts_s, made.duration_s), encoding="utf-8")
    chapters = str(made.has_video + made.has_audio)
    inputs += local_file(words, "ffmetadata")
    # The words of the whole file come from the input of the chapters too, which has none: a plain -1 would also take
    # away the titles of the chapters.
    outputs += ["-map_metadata", chapters, "-map_chapters", chapters, "-avoid_negative_ts", "disabled", *MP4]
    outputs += ["-f", "mp4" if made.has_video else "ipod", "-y", f"file:{os.path.abspath(target)}"]
    run_ffmpeg(tool.ffmpeg, ["-copyts", *inputs, *outputs], stall_s=tool.stall_s, cancel=tool.cancel)
    check_clip(target, duration_s=made.duration_s, has_video=made.has_video, has_audio=made.has_audio)
    if made.has_video:
        check_pictures(pictures, shown_from_s, target)


def _chapters(parts: Sequence[Measured], starts_s: Sequence[float], duration_s: float) -> str:
    """In ffmpeg's metadata format; titles are a stranger's words."""
    lines = [";FFMETADATA1"]
    for part, begin_s, end_s in zip(parts, starts_s, [*starts_s[1:], duration_s], strict=True):
        title = "".join(c if c.isprintable() else " " for c in part.part.title)[:LONGEST_TITLE].strip()
        escaped = "".join(f"\\{c}" if c in "=;#\\" else c for c in title)
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={math.floor(begin_s * 1000 + 0.5)}"]
        lines += [f"END={math.floor(end_s * 1000 + 0.5)}", f"title={escaped}"]
    return "\n".join(lines) + "\n"
