"""A stream to try the program on, made on the spot."""

from __future__ import annotations

from pathlib import Path

from kick_clip_generator.core.progress import CancelToken, ProgressCallback
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import check_writable


def demo_source(settings: Settings, progress: ProgressCallback, cancel: CancelToken | None = None) -> Path:
    """The demo stream in `DOWNLOAD_DIR`, made when it is not there yet.

    Raises:
        LibraryError: when the folder cannot be written.
        MediaError: when ffmpeg fails.
    """
    from kick_clip_generator.media.demo import make_demo
    from kick_clip_generator.media.ffmpeg import ffmpeg_path

    folder = settings.download_dir / "demo"
    check_writable(folder)
    return make_demo(folder, ffmpeg_path(settings.ffmpeg_path), progress=progress, cancel=cancel)
