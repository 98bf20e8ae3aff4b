"""Highlights become files: fetched from the best rendition, cut, checked by decoding, published, recorded."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kick_clip_generator.clips.plan import PlannedClip
from kick_clip_generator.core.clip_row import clip_row
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
from kick_clip_generator.library.records import Clip, ClipQuery, ClipRecord
from kick_clip_generator.media.check import check_clip
from kick_clip_generator.media.cut import CutResult, cut
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.workspace import workspace
from kick_clip_generator.sources.chunk import MediaSpan
from kick_clip_generator.sources.net.traffic import Traffic
from kick_clip_generator.sources.renditions import for_clips
from kick_clip_generator.sources.tracks import Tracks, open_tracks

log = logging.getLogger(__name__)

# Two cuts of one moment whose ends differ by less than this are the same clip.
SAME_END_S = 0.05


@dataclass(frozen=True, slots=True)
class ClipFile:
    """A published clip: its row, its file, and the highlight it shows."""

    id: int
    path: Path
    kind: str
    highlight: Highlight
    note: str = ""


@dataclass(frozen=True, slots=True)
class ClipsMade:
    """What cutting gave.

    Attributes:
        files: in the order of the plan.
        notes: one sentence for each clip that failed or was cut in another way.
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

    A clip of the same source with the same ends and the same cut is taken as it is. A file that was rated, kept or
    moved, or that the library does not know, is never written over: the new clip gets the next free name.

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
        may_replace: put new clips in the place of untouched ones of an earlier run.

    Raises:
        MediaError: when not one clip could be made.
        LibraryError: when the disk is full or the library fails.
        Cancelled: when the token is up.
    """
    if not planned:
        return ClipsMade()
    folder = canonical(folder / "_").parent
    stored = {clip.path: clip for clip in _clips_of(library, source_id) if clip.path.parent == folder}
    ready = {index: same for index, plan in enumerate(planned) if (same := _same_cut(plan, mode, stored.values()))}
    taken = {clip.path for clip in ready.values()}
    files: list[ClipFile] = []
    notes: list[str] = []
    failures: list[str] = []
    with workspace(settings.temp_dir) as temp, _LazyTracks(source, settings, cancel) as lazy:
        for index, plan in enumerate(planned):
            cancel.check()
            progress(Progress("clips", index, len(planned), message=plan.stem))
            if index in ready:
                files.append(ClipFile(ready[index].id, ready[index].path, plan.kind, plan.highlight))
                continue
            try:
                # The span first: what it fetches also tells whether there is a picture.
                with _fetched(lazy.tracks, plan.highlight.clip, temp) as media:
                    name = f"{plan.stem}{_suffix(lazy.tracks)}"
                    target, replace = _target(folder / name, stored, taken, may_replace=may_replace)
                    with part_file(target) as part:
                        done = _make(lazy.tracks, media, plan.highlight.clip, part, mode, settings, cancel)
                        published = publish(part, target, replace=replace)
            except (Cancelled, LibraryError, SourceLost):
                raise
            except ClipGeneratorError as error:
                log.warning("Clip %s could not be made: %s", plan.stem, error)
                failures.append(f"{plan.stem} could not be made: {error}")
                continue
            taken.add(published.path)
            clip_id = library.record_clip(
                ClipRecord(
                    source_id=source_id,
                    highlight=plan.highlight,
                    kind=plan.kind,
                    file=published,
                    span=plan.highlight.clip,
                    cut=mode,
                    row=clip_row(timeline, plan.highlight.event),
                    model_version=model_version,
                    highlight_id=highlight_ids.get(id(plan.highlight)),
                )
            )
            files.append(ClipFile(clip_id, published.path, plan.kind, plan.highlight, done.note))
            if done.note:
                notes.append(f"{target.name}: {done.note}")
        traffic = lazy.traffic
    progress(Progress("clips", len(planned), len(planned)))
    if failures and not files:
        raise MediaError(f"Not one of {len(planned)} clips could be made; the first: {failures[0]}")
    return ClipsMade(files, [*failures, *notes], traffic)


class _LazyTracks:
    """Opens the wanted rendition when the first clip needs it: a run that finds all its clips made reads nothing."""

    def __init__(self, source: Source, settings: Settings, cancel: CancelToken) -> None:
        self._source = source
        self._settings = settings
        self._cancel = cancel
        self._tracks: Tracks | None = None

    @property
    def tracks(self) -> Tracks:
        if self._tracks is None:
            wanted = for_clips(self._source, self._settings)
            self._tracks = open_tracks(self._source, wanted, self._settings, self._cancel)
        return self._tracks

    @property
    def traffic(self) -> Traffic:
        return self._tracks.traffic if self._tracks is not None else Traffic()

    def __enter__(self) -> _LazyTracks:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tracks is not None:
            self._tracks.close()


def _suffix(tracks: Tracks) -> str:
    return ".mp4" if tracks.has_video else ".m4a"


def _clips_of(library: Library, source_id: int) -> Iterator[Clip]:
    after: str | None = None
    while True:
        page = library.clips(ClipQuery(source_id=source_id, sort="oldest", after=after, limit=500))
        yield from page.items
        after = page.after
        if after is None:
            return


def _same_cut(plan: PlannedClip, mode: CutMode, stored: Iterable[Clip]) -> Clip | None:
    wanted = plan.highlight.clip
    for clip in stored:
        close = (
            abs(clip.span.start_s - wanted.start_s) < SAME_END_S and abs(clip.span.end_s - wanted.end_s) < SAME_END_S
        )
        if close and clip.cut == mode and clip.kind == plan.kind and _untouched(clip):
            return clip
    return None


def _untouched(clip: Clip) -> bool:
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


@contextlib.contextmanager
def _fetched(tracks: Tracks, span: Span, temp: Path) -> Iterator[MediaSpan]:
    """The media around a clip, for as long as it is cut."""
    media = tracks.span(span, temp)
    try:
        yield media
    finally:
        if media.temporary:
            media.path.unlink(missing_ok=True)


def _make(
    tracks: Tracks,
    media: MediaSpan,
    span: Span,
    part: Path,
    mode: CutMode,
    settings: Settings,
    cancel: CancelToken,
) -> CutResult:
    """Cut and check one clip into `part`."""
    # A discontinuity may cut the span short on either side.
    start_s = max(span.start_s, media.offset_s)
    duration_s = min(span.end_s, media.end_s) - start_s

    def made(way: CutMode) -> CutResult:
        done = cut(
            ffmpeg_path(settings.ffmpeg_path),
            media.path,
            part,
            start_s=start_s - media.offset_s,
            duration_s=duration_s,
            mode=way,
            has_video=tracks.has_video,
            has_audio=tracks.has_audio,
            cancel=cancel,
        )
        check_clip(part, duration_s=done.duration_s, has_video=done.has_video, has_audio=done.has_audio)
        return done

    try:
        return made(mode)
    except MediaError as error:
        if mode == "exact":
            raise
        # Packets that are missing in the source show only in a copy; encoding fills the gap.
        log.info("A copy did not pass its check, so the clip is encoded: %s", error)
        return dataclasses.replace(made("exact"), note="A plain copy was not sound, so the clip was re-encoded.")
