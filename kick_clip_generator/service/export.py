"""Clips leave the library: each as a file of its own or several joined in one, under good names, to a destination."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from kick_clip_generator.clips.destination import opened
from kick_clip_generator.clips.template import UNKNOWN, Names, Score, Seconds, check_template, name_from
from kick_clip_generator.core.errors import Cancelled, ClipGeneratorError, InputError, LibraryError
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback, silent
from kick_clip_generator.core.protocols import ExportFile
from kick_clip_generator.core.records import Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip, ClipQuery
from kick_clip_generator.pipeline.joining import join, parts_of, require_file
from kick_clip_generator.pipeline.workspace import workspace
from kick_clip_generator.sources.safety import public_url

# What a clip's own name may end in; another ending is not copied from a file that somebody put in its place.
SUFFIXES = frozenset({".mp4", ".m4a"})


@dataclass(frozen=True, slots=True)
class ChosenClip:
    """A clip, or a span of it: in seconds from its start; an end behind its own means to the end."""

    clip_id: int
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, where, and how.

    Attributes:
        clips: these, in this order. Else those that all of the next three agree on, best first.
        min_stars: with at least so many stars.
        source: of the stream of this link or path.
        everything: all there are.
        to: the name of a destination.
        into: what the destination makes of it, a folder for those of the house; empty for its default.
        name: a template; empty for `EXPORT_NAME`.
        compound: one file of all clips, in their order, with a chapter for each.
        crossfade_s: how long each part of a compound fades into the next.
    """

    clips: Sequence[ChosenClip] = ()
    min_stars: int | None = None
    source: str = ""
    everything: bool = False
    to: str = "folder"
    into: str = ""
    name: str = ""
    compound: bool = False
    crossfade_s: float = 0.0

    def __post_init__(self) -> None:
        chosen = self.min_stars is not None or bool(self.source) or self.everything
        if bool(self.clips) == chosen:
            raise InputError("Say which clips to export: either their numbers, or stars, a stream or all.")
        if not self.compound and (self.crossfade_s or any(chosen.span for chosen in self.clips)):
            raise InputError("Spans of clips and cross-fades are for a compound; ask for one, or leave them out.")
        if not (math.isfinite(self.crossfade_s) and self.crossfade_s >= 0):
            raise InputError(f"A cross-fade lasts 0 s or more, not {self.crossfade_s:g} s.")


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was sent.

    Attributes:
        where: as the destination says.
        clip_ids: what is in it.
    """

    name: str
    where: str
    clip_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was sent, and a sentence for each clip that was not.

    Attributes:
        notes: sentences about what was sent.
    """

    sent: tuple[Exported, ...]
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def export_clips(
    request: ExportRequest,
    *,
    library: Library,
    settings: Settings,
    progress: ProgressCallback = silent,
    cancel: CancelToken | None = None,
) -> ExportResult:
    """Send clips to a destination; one that fails does not keep the others back.

    Raises:
        InputError: a wrong template, an unknown destination, no clip that fits.
        LibraryError: there is no such clip, the destination failed as a whole, or not one clip could be sent.
        MediaError: a compound could not be made.
        Cancelled: when the token is up; what was sent to a folder stays.
    """
    token = cancel or CancelToken()
    template = request.name or settings.export_name
    check_template(template)
    facts = _Facts(library)
    if request.compound:
        return _compound(request, template, facts, _chosen(request, library), settings, progress, token)
    # The same clip twice is one file.
    clips = list({clip.id: clip for clip, _ in _chosen(request, library)}.values())
    names, sent, failures = Names(), [], []
    with opened(request.to, request.into, settings) as send:
        for index, clip in enumerate(clips):
            token.check()
            progress(Progress("export", index, len(clips), message=clip.name))
            try:
                require_file(clip)
                name = names.free(name_from(template, facts.of(clip, index + 1)), _suffix(clip.path))
                where = send(ExportFile(clip.path, name, clip.source_title, clip.created_at))
            except Cancelled:
                raise
            except ClipGeneratorError as error:
                failures.append(f"Clip {clip.id}: {error}")
            else:
                sent.append(Exported(name, where, (clip.id,)))
        if not sent:
            raise LibraryError(_none_of(failures))
    progress(Progress("export", len(clips), len(clips)))
    return ExportResult(tuple(sent), tuple(failures))


def _compound(
    request: ExportRequest,
    template: str,
    facts: _Facts,
    chosen: Sequence[tuple[Clip, Span | None]],
    settings: Settings,
    progress: ProgressCallback,
    token: CancelToken,
) -> ExportResult:
    parts = parts_of(chosen)
    clips = [clip for clip, _ in chosen]
    with opened(request.to, request.into, settings) as send, workspace(settings.temp_dir) as temp:
        finished = temp / "compound.mp4"
        made = join(
            parts,
            finished,
            temp=temp,
            crossfade_s=request.crossfade_s,
            settings=settings,
            progress=progress,
            cancel=token,
        )
        name = f"{name_from(template, facts.common(clips, made.duration_s))}{'.mp4' if made.has_video else '.m4a'}"
        titles = " + ".join(dict.fromkeys(clip.source_title for clip in clips))
        where = send(ExportFile(finished, name, titles, max(clip.created_at for clip in clips)))
    progress(Progress("export", len(parts), len(parts)))
    return ExportResult(
        (Exported(name, where, tuple(clip.id for clip in clips)),), notes=(made.note,) * bool(made.note)
    )


def _chosen(request: ExportRequest, library: Library) -> list[tuple[Clip, Span | None]]:
    if request.clips:
        return [(library.clip(chosen.clip_id), chosen.span) for chosen in request.clips]
    sources = _sources(request.source, library) if request.source else [None]
    found = [
        clip
        for source_id in sources
        for clip in _all(library, ClipQuery(source_id=source_id, min_stars=request.min_stars, sort="score", limit=500))
    ]
    if not found:
        raise InputError("There is no clip of that kind in the library; choose fewer stars, another stream, or all.")
    return [(clip, None) for clip in sorted(found, key=lambda clip: (-clip.score, -clip.id))]


def _all(library: Library, query: ClipQuery) -> Iterator[Clip]:
    page = library.clips(query)
    yield from page.items
    while page.after is not None:
        page = library.clips(replace(query, after=page.after))
        yield from page.items


def _sources(link: str, library: Library) -> list[int | None]:
    """The sources of a link; it has several when its content changed."""
    link = link.strip()
    spellings = {link, os.path.realpath(os.path.expanduser(link))}
    if urlsplit(link).scheme in ("http", "https"):
        spellings.add(public_url(link))
    found: list[int | None] = [source.id for source in library.sources() if source.url in spellings]
    if not found:
        raise InputError("The library has no clips of that stream; check the link against the one they were made from.")
    return found


def _suffix(path: Path) -> str:
    return path.suffix.lower() if path.suffix.lower() in SUFFIXES else ".mp4"


def _none_of(failures: Sequence[str]) -> str:
    return failures[0] if len(failures) == 1 else f"Not one of {len(failures)} clips was exported; {failures[0]}"


class _Facts:
    """What names can say about clips."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._channels: dict[int, str] = {}

    def of(self, clip: Clip, rank: int) -> dict[str, Any]:
        """
        Args:
            rank: the clip's place in the export, from 1 on.
        """
        if clip.source_id not in self._channels:
            self._channels[clip.source_id] = self._library.source(clip.source_id).channel
        path = urlsplit(clip.source_url).path if "://" in clip.source_url else clip.source_url
        return {
            "channel": self._channels[clip.source_id] or UNKNOWN,
            "date": datetime.fromtimestamp(clip.created_at).date(),
            "rank": rank,
            "title": clip.source_title or UNKNOWN,
            "source": Path(unquote(path)).stem or UNKNOWN,
            "kind": clip.kind,
            "score": Score(clip.score),
            "stars": UNKNOWN if clip.stars is None else clip.stars,
            "start": Seconds(clip.span.start_s),
            "end": Seconds(clip.span.end_s),
            "duration": Seconds(clip.span.duration_s),
            "id": clip.id,
        }

    def common(self, clips: Sequence[Clip], duration_s: float) -> Mapping[str, Any]:
        """Of a compound: what all its parts agree on, else what the first of them says."""
        first, *others = (self.of(clip, 1) for clip in clips)
        several = {name: "several" for name in ("channel", "title", "source") if _differ(name, first, others)}
        return {**first, **several, "kind": "compound", "duration": Seconds(duration_s)}


def _differ(name: str, first: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> bool:
    return any(facts[name] != first[name] for facts in others)
