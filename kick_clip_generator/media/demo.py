"""The demo stream: a made match with calm, crowd noise and action, so that the main job runs with nothing at hand.

What happens when is known (`demo_events`), and there are things that must not fool a detector: a loud steady engine and
a burst of hard cuts.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.progress import CancelToken, ProgressCallback, silent
from kick_clip_generator.media.demo_picture import FPS, HEIGHT_PX, WIDTH_PX, demo_picture
from kick_clip_generator.media.demo_script import DemoEvent, demo_events
from kick_clip_generator.media.demo_sound import RATE_HZ, demo_sound
from kick_clip_generator.media.ffmpeg import run_ffmpeg
from kick_clip_generator.media.probe import probe

__all__ = ["DemoEvent", "demo_events", "make_demo"]

VERSION = 1
"""Part of the file's name: another picture or sound needs another number, or an old file is used."""

# Drawn small and enlarged without smoothing: a sixteenth of the work, and the look of an old game.
ENLARGED = 4


def make_demo(
    folder: Path,
    ffmpeg: str,
    *,
    duration_s: float = 180.0,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Path:
    """Make the demo stream, or find the one made before: 1280x720 at 30 frames a second, H.264 and AAC in MP4.

    Args:
        folder: where it goes; made when missing.
        ffmpeg: the binary, see `ffmpeg_path`.
        duration_s: at least 5.
        seed: another seed is another match.
        progress: called from another thread, about once per second of stream.
        cancel: as in `run_ffmpeg`.

    Raises:
        MediaError: the folder can't be written, the disk is full, or ffmpeg failed.
        Cancelled: when the token is up.
        ValueError: when the duration makes no sense.
    """
    if not 5.0 <= duration_s <= 3600.0:
        raise ValueError(f"expected a duration of 5 to 3600 s, got {duration_s}")
    target = folder / f"demo-{VERSION}-{duration_s:g}s-{seed}.mp4"
    if _intact(target, duration_s):
        return target
    # Two programs may make it at the same time; the last one's stays.
    part, sound = (folder / f"{target.name}.{os.getpid()}.{kind}.part" for kind in ("mp4", "pcm"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with sound.open("wb") as file:
            for block in demo_sound(demo_events(seed, duration_s), duration_s, seed):
                file.write(block)
        picture = demo_picture(demo_events(seed, duration_s), duration_s, seed, progress or silent)
        run_ffmpeg(ffmpeg, _encoder(sound, part), feed=picture, cancel=cancel)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise MediaError(f"The demo can't be written to {folder}: {error.strerror}; choose another folder.") from error
    finally:
        for leftover in (part, sound):
            with contextlib.suppress(OSError):
                leftover.unlink(missing_ok=True)
    return target


def _intact(path: Path, duration_s: float) -> bool:
    try:
        info = probe(path)
    except MediaError:
        return False
    return info.has_audio and info.has_video and abs(info.duration_s - duration_s) < 0.5


def _encoder(sound: Path, target: Path) -> list[str]:
    size = f"{WIDTH_PX}x{HEIGHT_PX}"
    enlarge = f"format=yuv444p,scale={WIDTH_PX * ENLARGED}:{HEIGHT_PX * ENLARGED}:flags=neighbor,format=yuv420p"
    return [
        *("-f", "rawvideo", "-pix_fmt", "bgr24", "-video_size", size, "-framerate", str(FPS), "-i", "pipe:0"),
        *("-f", "s16le", "-ar", str(RATE_HZ), "-ac", "2", "-i", f"file:{os.path.abspath(sound)}"),
        *("-vf", enlarge, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-qp", "28"),
        *("-g", str(2 * FPS), "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart"),
        *("-f", "mp4", "-y", f"file:{os.path.abspath(target)}"),
    ]
