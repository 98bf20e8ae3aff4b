"""Several clips, or stretches of them, in one file that belongs to a project."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from kick_clip_generator.core.errors import InputError, LibraryError
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback, silent
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import canonical, check_writable, free_path, part_file, publish, safe_name
from kick_clip_generator.library.library import Library
from kick_clip_generator.pipeline.joining import join, parts_of
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
    parts = parts_of([(clip, part.span) for clip, part in zip(clips, chosen, strict=True)])
    folder = (project.folder or settings.clips_dir / safe_name(project.title or clips[0].source_title)).absolute()
    folder = canonical(folder / COMPOUNDS_FOLDER / "_").parent
    check_writable(folder)
    with workspace(settings.temp_dir) as temp:
        finished = temp / "compound.mp4"
        made = join(
            parts,
            finished,
            temp=temp,
            crossfade_s=crossfade_s,
            settings=settings,
            progress=progress,
            cancel=cancel or CancelToken(),
        )
        stem = safe_name(name or project.title or clips[0].source_title)
        target = free_path(folder, f"{stem}{'.mp4' if made.has_video else '.m4a'}")
        with part_file(target) as part_path:
            # The workspace may lie on another disk.
            shutil.copyfile(finished, part_path)
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
