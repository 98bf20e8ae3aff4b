"""Highlights become files: fetched from the best rendition, cut, checked, published, recorded."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kick_clip_generator.clips.plan import PlannedClip
from kick_clip_generator.core.clip_row import highlight_row
from kick_clip_generator.core.errors import Cancelled, ClipGeneratorError, LibraryError, MediaError, SourceLost
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback
from kick_clip_generator.core.records import CutMode, Highlight, Source, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.library.files import (
    canonical,
    check_writable,
    free_path,
    part_file,
    publish,
    safe_name,
    sweep_parts,
)
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import CheckState, Clip, ClipQuery, ClipRecord, Published
from kick_clip_generator.pipeline.making import LazyTracks, fetched, make_clip
from kick_clip_generator.pipeline.thumbnails import make_thumbnail
from kick_clip_generator.pipeline.workspace import workspace
from kick_clip_generator.sources.net.traffic import Traffic
from kick_clip_generator.sources.tracks import Tracks

log = logging.getLogger(__name__)

# Two cuts of one moment whose ends differ by less than this are the same clip.
SAME_END_S = 0.05


@dataclass(frozen=True, slots=True)
class ClipFile:
    """A published clip: its row, its file, and the highlight it shows.

    Attributes:
        note: a sentence on how it had to be cut, may be empty.
        checked: whether all of it was decoded, see `library.records.Clip`.
    """

    id: int
    path: Path
    kind: str
    highlight: Highlight
    note: str = ""
    checked: CheckState = "pending"


@dataclass(frozen=True, slots=True)
class ClipsMade:
    """What cutting gave.

    Attributes:
        files: in the order of the plan.
        notes: one sentence for each clip that failed, and for each reason to cut in another way.
        traffic: what was asked of servers.
    """

    files: Sequence[ClipFile] = ()
    notes: Sequence[str] = ()
    traffic: Traffic = field(default_factory=Traffic)


def clips_folder(source: Source, settings: Settings, output: Path | None) -> Path:
    """Where a source's clips go, made and checked: `output` itself, or `OUTPUT_DIR/<title>/`.

    Raises:
        LibraryError: when it cannot be made or written, or the disk is full.
    """
    folder = output if output is not None else settings.clips_dir / safe_name(source.title)
    check_writable(folder)
    sweep_parts(folder)
    return folder


def cut_clips(
    source: Source,
    planned: Sequence[PlannedClip],
    *,
    folder: Path,
    mode: CutMode,
    timeline: Timeline,
    source_id: int,
    highlight_ids: Mapping[int, int],
    model_version: int | None,
    library: Library,
    settings: Settings,
    progress: ProgressCallback,
    cancel: CancelToken,
    may_replace: bool = True,
) -> ClipsMade:
    """Cut what is not there yet.

    A clip of the same source with the same ends and the same cut is taken as it is, also from `keep/`; so is one whose
    ends were moved by hand, and one that was dropped is not made again. A file that was rated, kept or moved, or that
    the library does not know, is never written over: the new clip gets the next free name.

    Args:
        source: its best rendition is cut.
        planned: what to cut, best first.
        folder: where the files go.
        mode: how.
        timeline: the features the highlights were found in; each clip's row is kept for training.
        source_id: the source's row.
        highlight_ids: the row of each highlight, by `id()`.
        model_version: the model that had a say in the ranking.
        library: where clips are recorded.
        settings: checked settings.
        progress: told after each clip.
        cancel: ends the run between and within cuts; published clips stay.
        may_replace: this is a ranking: put new clips in the place of untouched ones of an earlier run, and leave out
            what was dropped.

    Raises:
        MediaError: when not one clip could be made.
        LibraryError: when the disk is full or the library fails.
        Cancelled: when the token is up.
    """
    if not planned:
        return ClipsMade()
    folder = canonical(folder / "_").parent
    ours = [clip for clip in _clips_of(library, source_id) if clip.home == folder]
    stored = {clip.path: clip for clip in ours}
    dropped = [clip for clip in ours if clip.dropped] if may_replace else []
    left_out = {index for index, plan in enumerate(planned) if _same_cut(plan, mode, dropped)}
    present = [clip for clip in ours if not clip.dropped and untouched(clip)]
    ready = {index: same for index, plan in enumerate(planned) if (same := _same_cut(plan, mode, present))}
    taken = {clip.path for clip in ready.values()}
    files: list[ClipFile] = []
    notes: list[str] = []
    if left_out:
        notes.append(f"Clips that you dropped were not made again: {len(left_out)} (see {folder / 'drop'}).")
    failures: list[str] = []
    remarks: dict[str, list[str]] = {}
    with workspace(settings.temp_dir) as temp, LazyTracks(source, settings, cancel) as lazy:
        for index, plan in enumerate(planned):
            cancel.check()
            progress(Progress("clips", index, len(planned), message=plan.stem))
            if index in left_out:
                continue
            if index in ready:
                same = ready[index]
                shown = dataclasses.replace(plan.highlight, clip=same.span) if same.moved else plan.highlight
                files.append(ClipFile(same.id, same.path, plan.kind, shown, checked=same.checked))
                continue
            try:
                later = [
                    other.highlight.clip
                    for place, other in enumerate(planned[index + 1 :], index + 1)
                    if place not in ready and place not in left_out
                ]
                # The span first: what it fetches also tells whether there is a picture.
                with fetched(lazy.tracks, plan.highlight.clip, temp, later) as media:
                    name = f"{plan.stem}{_suffix(lazy.tracks)}"
                    target, replace = _target(folder / name, stored, taken, may_replace=may_replace)
                    with part_file(target) as part:
                        made = make_clip(lazy.tracks, media, plan.highlight.clip, part, mode, settings, cancel)
                        record = functools.partial(
                            ClipRecord,
                            source_id=source_id,
                            highlight=plan.highlight,
                            kind=plan.kind,
                            span=plan.highlight.clip,
                            cut=mode,
                            row=highlight_row(timeline, plan.highlight),
                            model_version=model_version,
                            highlight_id=highlight_ids.get(id(plan.highlight)),
                            quality=settings.quality,
                            check_note=made.failed,
                        )
                        published = publish(
                            part,
                            target,
                            replace=replace,
                            announce=functools.partial(_announce, library, record),
                        )
            except (Cancelled, LibraryError, SourceLost):
                raise
            except ClipGeneratorError as error:
                log.warning("Clip %s could not be made: %s", plan.stem, error)
                failures.append(f"{plan.stem} could not be made: {error}")
                continue
            taken.add(published.path)
            clip_id = library.record_clip(record(file=published))
            make_thumbnail(published.path, plan.highlight.peak_s - media.offset_s - made.cut.start_s)
            files.append(ClipFile(clip_id, published.path, plan.kind, plan.highlight, made.note))
            if made.note:
                remarks.setdefault(made.note, []).append(target.name)
        traffic = lazy.traffic
    progress(Progress("clips", len(planned), len(planned)))
    if failures and not files:
        raise MediaError(f"Not one of {len(planned)} clips could be made; the first: {failures[0]}")
    notes += [f"{names[0] if len(names) == 1 else f'{len(names)} clips'}: {note}" for note, names in remarks.items()]
    return ClipsMade(files, [*failures, *notes], traffic)


def _announce(library: Library, record: Callable[..., ClipRecord], file: Published) -> None:
    """A kill between the file and its row leaves a file that the next scan of the folders adopts."""
    library.announce_clip(record(file=file))


def _suffix(tracks: Tracks) -> str:
    return ".mp4" if tracks.has_video else ".m4a"


def _clips_of(library: Library, source_id: int) -> Iterator[Clip]:
    after: str | None = None
    while True:
        page = library.clips(ClipQuery(source_id=source_id, dropped=None, sort="oldest", after=after, limit=500))
        yield from page.items
        after = page.after
        if after is None:
            return


def _same_cut(plan: PlannedClip, mode: CutMode, clips: Iterable[Clip]) -> Clip | None:
    """The clip that shows what is planned, or did before its ends were moved."""
    for clip in clips:
        same = _same_ends(plan.highlight.clip, clip.span) and clip.cut == mode
        if clip.kind == plan.kind and (same or (clip.moved and _same_ends(plan.highlight.clip, clip.highlight.clip))):
            return clip
    return None


def _same_ends(one: Span, other: Span) -> bool:
    return abs(one.start_s - other.start_s) < SAME_END_S and abs(one.end_s - other.end_s) < SAME_END_S


def untouched(clip: Clip) -> bool:
    """Whether its file is there as it was recorded."""
    try:
        stat = clip.path.stat()
    except OSError:
        return False
    return stat.st_size == clip.size and stat.st_mtime_ns == clip.mtime_ns


def _target(path: Path, stored: Mapping[Path, Clip], taken: set[Path], *, may_replace: bool) -> tuple[Path, bool]:
    """Where to publish, and whether a file there may be replaced."""
    known = stored.get(path)
    if may_replace and path not in taken and known is not None and not Library.is_precious(known):
        return path, path.exists()
    return free_path(path.parent, path.name, taken=lambda free: free in taken or free in stored), False
