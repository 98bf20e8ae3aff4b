"""Several clips, or stretches of them, in one file that belongs to a project."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kick_clip_generator.core.errors import InputError, LibraryError
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback, silent
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import clock
from kick_clip_generator.library.files import canonical, check_writable, free_path, part_file, publish, safe_name
from kick_clip_generator.library.library import Library
from kick_clip_generator.media.compound import make_compound
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.parts import Part
from kick_clip_generator.pipeline.workspace import workspace
from kick_clip_generator.service.export import ChosenClip

# Below the folder of the project's clips.
COMPOUNDS_FOLDER = "compounds"


@dataclass(frozen=True, slots=True)
class CompoundMade:
    """The compound's number, and a sentence for the user that may be empty."""

    id: int
    note: str = ""


def compound_clips(
    library: Library,
    settings: Settings,
    project_id: int,
    chosen: Sequence[ChosenClip],
    *,
    name: str = "",
    crossfade_s: float = 0.0,
    progress: ProgressCallback = silent,
    cancel: CancelToken | None = None,
) -> CompoundMade:
    """Join clips in their order, with a chapter for each, and record the file.

    Args:
        name: of the file; empty for the project's title.
        crossfade_s: how long each part fades into the next.

    Raises:
        InputError: when there is nothing to join.
        NotFoundError: when there is no such project or clip.
        LibraryError: when a clip's file is gone, or the disk refuses.
        MediaError: when they cannot be joined.
        Cancelled: when the token is up.
    """
    if not chosen:
        raise InputError("A compound needs at least one clip.")
    project = library.project(project_id)
    clips = [library.clip(part.clip_id) for part in chosen]
    parts: list[Part] = []
    for rank, (clip, part) in enumerate(zip(clips, chosen, strict=True), 1):
        if not clip.path.is_file():
            raise LibraryError(f"{clip.path} is not there any more; put it back, or leave clip {clip.id} out.")
        start_s, end_s = (part.span.start_s, part.span.end_s) if part.span is not None else (0.0, math.inf)
        title = f"{rank}. {clip.source_title} {clock(clip.span.start_s + start_s)}"
        parts.append(Part(clip.path, start_s, end_s, title))
    folder = (project.folder or settings.clips_dir / safe_name(project.title or clips[0].source_title)).absolute()
    folder = canonical(folder / COMPOUNDS_FOLDER / "_").parent
    check_writable(folder)
    progress(Progress("export", 0, len(parts)))
    with workspace(settings.temp_dir) as temp:
        finished = temp / "compound.mp4"
        made = make_compound(
            ffmpeg_path(settings.ffmpeg_path),
            parts,
            finished,
            temp=temp,
            crossfade_s=crossfade_s,
            cancel=cancel or CancelToken(),
            on_part=lambda part: progress(Progress("export", part, len(parts))),
        )
        stem = safe_name(name or project.title or clips[0].source_title)
        target = free_path(folder, f"{stem}{'.mp4' if made.has_video else '.m4a'}")
        with part_file(target) as part_path:
            # The workspace may lie on another disk.
            part_path.write_bytes(finished.read_bytes())
            file = publish(part_path, target)
    body = {
        "parts": [
            {
                "clip_id": clip.id,
                "start_s": part.start_s,
                "end_s": part.end_s if math.isfinite(part.end_s) else None,
                "at_s": at_s,
            }
            for clip, part, at_s in zip(clips, parts, made.starts_s, strict=True)
        ],
        "crossfade_s": crossfade_s,
    }
    number = library.record_compound(project_id, target.stem, file, made.duration_s, body)
    progress(Progress("export", len(parts), len(parts)))
    return CompoundMade(number, made.note)


def delete_compound(library: Library, compound_id: int) -> None:
    """Take a compound clip out of the library and off the disk; the clips in it stay.

    Raises:
        NotFoundError: when there is none of that number.
        LibraryError: when its file cannot be deleted; it stays in the library then.
    """
    path = library.compound(compound_id).file.path
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise LibraryError(f"{path} cannot be deleted ({error.strerror}); check its rights.") from error
    library.delete_compound(compound_id)
