"""A stream is kept: fetched in stretches, each of which is a checkpoint, and joined to one file."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kick_clip_generator.core.errors import InputError, MediaError
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback
from kick_clip_generator.core.records import Source, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import canonical, check_writable, free_path, part_file, publish, safe_name
from kick_clip_generator.library.records import Published
from kick_clip_generator.media.append import Stretch, append
from kick_clip_generator.media.probe import probe
from kick_clip_generator.sources.chunk import MediaSpan
from kick_clip_generator.sources.renditions import for_clips
from kick_clip_generator.sources.tracks import open_tracks

log = logging.getLogger(__name__)

# A kill loses this much at most; each costs one more look at the media's beginning.
STRETCH_S = 120.0
# How much shorter than promised a file may be: containers round, and the last segment may be cut short.
MISSING_SHARE, MISSING_S = 0.01, 3.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A stretch that lies on the disk: its number, file name, bytes, and the absolute time of its start."""

    n: int
    name: str
    size: int
    offset_s: float


def parts_folder(settings: Settings, key: str) -> Path:
    """Where the stretches of a download lie until they are joined.

    Args:
        key: names the source and its rendition; fit for a file name.
    """
    return settings.download_dir / f"{key}.parts"


def download(
    source: Source,
    *,
    key: str,
    known: Mapping[int, Mapping[str, Any]],
    keep: Callable[[Kept], None],
    settings: Settings,
    progress: ProgressCallback,
    cancel: CancelToken,
) -> Published:
    """Fetch a recording at `settings.quality` and publish it in `DOWNLOAD_DIR`.

    Args:
        key: see `parts_folder`.
        known: details (`name`, `size`, `offset_s`) of stretches that an earlier run kept.
        keep: told of each stretch once it is whole on the disk; what it raises ends the run.

    Raises:
        InputError: for a file of this computer, or a running stream.
        SourceError: when media are lost or refused; stretches that are kept stay for the next run.
        MediaError: when they cannot be joined.
        LibraryError: when the disk refuses.
        Cancelled: when the token is up.
    """
    if source.kind == "file":
        raise InputError(f"{source.title} lies on this computer already; it needs no download.")
    if source.live or math.isnan(source.duration_s):
        raise InputError(f"{source.title} is still running; it can be downloaded when it has ended.")
    folder = parts_folder(settings, key)
    check_writable(folder)
    total = max(1, math.ceil(source.duration_s / STRETCH_S))
    stretches: list[Stretch] = []
    with open_tracks(source, for_clips(source, settings), settings, cancel) as tracks:
        for n in range(total):
            cancel.check()
            progress(Progress("download", n, total))
            path = folder / f"{n:05d}.media"
            if n in known and _is_whole(path, known[n]):
                stretches.append(Stretch(path, float(known[n]["offset_s"])))
                continue
            span = Span(n * STRETCH_S, min((n + 1) * STRETCH_S, source.duration_s))
            media = tracks.span(span, folder)
            size = _put(media, path)
            stretches.append(Stretch(path, media.offset_s))
            keep(Kept(n, path.name, size, media.offset_s))
        suffix = ".mp4" if tracks.has_video else ".m4a"
    home = canonical(settings.download_dir.absolute() / "_").parent
    target = free_path(home, f"{safe_name(source.title)}{suffix}")
    with part_file(target) as part:
        append(stretches, part, cancel)
        _check(part, source)
        kept = publish(part, target)
    shutil.rmtree(folder, ignore_errors=True)
    progress(Progress("download", total, total))
    return kept


def _is_whole(path: Path, detail: Mapping[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == detail.get("size")


def _put(media: MediaSpan, path: Path) -> int:
    if media.temporary:
        media.path.replace(path)
    else:
        shutil.copyfile(media.path, path)
    return path.stat().st_size


def _check(path: Path, source: Source) -> None:
    found_s = probe(path).duration_s
    least_s = source.duration_s * (1 - MISSING_SHARE) - MISSING_S
    if not math.isnan(found_s) and found_s < least_s:
        raise MediaError(
            f"Only {found_s:.0f} of {source.duration_s:.0f} s of {source.title} arrived, so the download is not kept; "
            "try it again."
        )
